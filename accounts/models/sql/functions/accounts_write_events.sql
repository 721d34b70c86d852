-- Writes the events of new and changed accounts: appeared, not_visible, suspended, restored, suspension_announced.
-- Called once for each statement by the triggers write_events_of_new_accounts and write_events_of_changed_accounts. A
-- suspended account whose billing Amazon does not tell any more is not restored. An account that moves to another team
-- is not visible any more in the old team, and appears in the new team.
CREATE OR REPLACE FUNCTION accounts_write_events() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        INSERT INTO tokens_event (id, type, team_id, object_id, connection_id, created_at, data)
        SELECT gen_random_uuid(), 'account.appeared', account.team_id, account.id, account.connection_id,
               clock_timestamp(), accounts_describe_event(account, team, connection)
          FROM new_rows account
          JOIN tokens_team team ON team.id = account.team_id
          JOIN tokens_connection connection ON connection.id = account.connection_id
         WHERE account.inactive_reason IS DISTINCT FROM 'not_visible'
           AND account.inactive_reason IS DISTINCT FROM 'disconnected';
        RETURN NULL;
    END IF;
    INSERT INTO tokens_event (id, type, team_id, object_id, connection_id, created_at, data)
    SELECT gen_random_uuid(), event.type, team.id, account.id, connection.id, clock_timestamp(),
           accounts_describe_event(account, team, connection) || CASE WHEN event.has_moved THEN '{}' ELSE
           jsonb_build_object('changes', (
               SELECT coalesce(jsonb_object_agg(field, jsonb_build_array(old_value, new_value)), '{}')
                 FROM (VALUES ('status', to_jsonb(old_row.status), to_jsonb(account.status)),
                              ('standing', to_jsonb(old_row.standing), to_jsonb(account.standing)),
                              ('suspension_at', to_jsonb(old_row.suspension_at), to_jsonb(account.suspension_at))
                      ) AS change (field, old_value, new_value)
                WHERE old_value IS DISTINCT FROM new_value)) END
      FROM new_rows account
      JOIN old_rows old_row ON old_row.id = account.id
     CROSS JOIN LATERAL (
        SELECT 'account.not_visible' AS type, old_row.team_id, old_row.connection_id, true AS has_moved
         WHERE old_row.team_id <> account.team_id
           AND old_row.inactive_reason IS DISTINCT FROM 'not_visible'
        UNION ALL
        SELECT 'account.not_visible', account.team_id, account.connection_id, false
         WHERE account.inactive_reason = 'not_visible'
           AND old_row.inactive_reason IS DISTINCT FROM 'not_visible'
        UNION ALL
        SELECT 'account.appeared', account.team_id, account.connection_id, old_row.team_id <> account.team_id
         WHERE account.inactive_reason IS DISTINCT FROM 'not_visible'
           AND account.inactive_reason IS DISTINCT FROM 'disconnected'
           AND (old_row.inactive_reason = 'not_visible' OR old_row.team_id <> account.team_id)
        UNION ALL
        SELECT 'account.suspended', account.team_id, account.connection_id, false
         WHERE account.status = 'suspended' AND old_row.status IN ('active', 'pending', 'unknown')
        UNION ALL
        SELECT 'account.restored', account.team_id, account.connection_id, false
         WHERE old_row.status = 'suspended' AND account.status IN ('active', 'pending')
           AND account.standing <> 'unknown'
        UNION ALL
        SELECT 'account.suspension_announced', account.team_id, account.connection_id, false
         WHERE account.standing = 'at_risk' AND account.suspension_at > clock_timestamp()
           AND (old_row.standing, old_row.suspension_at) IS DISTINCT FROM (account.standing, account.suspension_at)
     ) event
      JOIN tokens_team team ON team.id = event.team_id
      JOIN tokens_connection connection ON connection.id = event.connection_id;
    RETURN NULL;
END $$
