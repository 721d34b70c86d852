-- Gives the accounts of a connection that Amazon refuses to live connections that see the same accounts.
-- An account that no live connection sees keeps its connection. Returns the ids of the new connections.
WITH moved AS (
    UPDATE user_accounts account
       SET connection_id = new_owner.connection_id, updated_at = statement_timestamp()
      FROM (SELECT DISTINCT ON (access.account_id) access.account_id, access.connection_id
              FROM user_accounts refused
             CROSS JOIN LATERAL (
                   SELECT * FROM accounts_accountaccess present WHERE present.account_id = refused.id OFFSET 0) access
              JOIN tokens_connection candidate ON candidate.id = access.connection_id
             WHERE refused.connection_id = %(connection)s
               AND (refused.inactive_reason IS NULL OR refused.inactive_reason = 'registration_failed')
               AND access.connection_id <> %(connection)s
               AND candidate.state = 'active' AND candidate.client_id = %(client)s
             ORDER BY access.account_id, access.since, access.connection_id) new_owner
     WHERE account.id = new_owner.account_id
    RETURNING account.connection_id
)
SELECT ARRAY(SELECT DISTINCT connection_id FROM moved)
