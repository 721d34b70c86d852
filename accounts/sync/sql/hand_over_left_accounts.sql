-- Gives the accounts of a connection that has left the team to the other connections of the team that see them.
-- A live connection is preferred, then the connection that has seen the account for the longest time. Returns the ids
-- of the new connections.
WITH new_owner AS MATERIALIZED (
    SELECT DISTINCT ON (access.account_id) access.account_id, access.connection_id
      FROM user_accounts account
      JOIN accounts_accountaccess access ON access.account_id = account.id
      JOIN tokens_connection candidate ON candidate.id = access.connection_id
     WHERE account.connection_id = %(connection)s AND account.team_id = %(old_team)s
     ORDER BY access.account_id, (candidate.state = 'active' AND candidate.client_id = %(client)s) DESC,
              access.since, access.connection_id
), moved AS (
    UPDATE user_accounts account
       SET connection_id = new_owner.connection_id, updated_at = statement_timestamp()
      FROM new_owner
     WHERE account.id = new_owner.account_id
    RETURNING account.connection_id
)
SELECT ARRAY(SELECT DISTINCT connection_id FROM moved)
