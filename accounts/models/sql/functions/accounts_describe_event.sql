-- Returns what an event says about an account, its team and its connection.
CREATE OR REPLACE FUNCTION accounts_describe_event(
    account user_accounts, team tokens_team, connection tokens_connection) RETURNS jsonb STABLE LANGUAGE sql AS $$
    SELECT jsonb_build_object(
        'team', jsonb_build_object('id', team.id, 'name', team.name),
        'connection', jsonb_build_object('id', connection.id, 'label', connection.label),
        'account', jsonb_build_object(
            'id', account.id, 'amazon_account_id', account.amazon_account_id, 'name', account.name,
            'status', account.status, 'standing', account.standing))
$$
