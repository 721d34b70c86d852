-- Gives accounts that their connection does not see any more to another connection that sees them.
-- A live connection is preferred, then the connection that has seen the account for the longest time. An
-- account that no connection sees becomes not_visible. Returns the ids of the accounts that became
-- not_visible, and the ids of the new connections.
WITH unowned AS MATERIALIZED (
    SELECT account.id
      FROM user_accounts account
     WHERE account.connection_id = %(connection)s
       AND (account.inactive_reason IS NULL OR account.inactive_reason = 'registration_failed')
       AND (account.sync_enabled OR %(include_unsynced)s)
       AND NOT EXISTS (SELECT FROM accounts_accountaccess access
                        WHERE access.account_id = account.id AND access.connection_id = %(connection)s OFFSET 0)
), new_owner AS MATERIALIZED (
    SELECT DISTINCT ON (access.account_id) access.account_id, access.connection_id
      FROM unowned
     CROSS JOIN LATERAL (
           SELECT * FROM accounts_accountaccess present WHERE present.account_id = unowned.id OFFSET 0) access
      JOIN tokens_connection candidate ON candidate.id = access.connection_id
     WHERE access.connection_id <> %(connection)s
     ORDER BY access.account_id, (candidate.state = 'active' AND candidate.client_id = %(client)s) DESC,
              access.since, access.connection_id
), moved AS (
    UPDATE user_accounts account
       SET connection_id = new_owner.connection_id, updated_at = statement_timestamp()
      FROM new_owner
     WHERE account.id = new_owner.account_id
    RETURNING account.connection_id
), vanished AS (
    UPDATE user_accounts account
       SET status = 'inactive', inactive_reason = 'not_visible', standing = 'unknown', suspended_in = '{}',
           suspension_at = NULL, updated_at = statement_timestamp()
      FROM unowned
     WHERE account.id = unowned.id
       AND unowned.id NOT IN (SELECT account_id FROM new_owner)
       AND (account.inactive_reason IS NULL OR account.inactive_reason = 'registration_failed')
    RETURNING account.id
)
SELECT ARRAY(SELECT id FROM vanished), ARRAY(SELECT DISTINCT connection_id FROM moved)
