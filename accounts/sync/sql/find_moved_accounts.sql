-- Finds the accounts that a connection sees or has. Returns for each its id, whether the connection sees it, whether
-- another connection of its team sees it, and the id of the same account in another team.
WITH related AS (
    SELECT account_id AS id, true AS is_seen FROM accounts_accountaccess WHERE connection_id = %(connection)s
    UNION ALL
    SELECT id, false FROM user_accounts WHERE connection_id = %(connection)s
), related_once AS MATERIALIZED (
    SELECT id, bool_or(is_seen) AS is_seen FROM related GROUP BY id
)
SELECT account.id, is_seen, other.sees IS NOT NULL AS stays, twin.id AS twin_id
  FROM related_once
  JOIN user_accounts account ON account.id = related_once.id
  LEFT JOIN LATERAL (
       SELECT true AS sees FROM accounts_accountaccess access
        WHERE access.account_id = account.id AND access.connection_id <> %(connection)s LIMIT 1) other ON true
  LEFT JOIN LATERAL (
       SELECT * FROM user_accounts present
        WHERE present.amazon_account_id = account.amazon_account_id OFFSET 0) twin
    ON twin.team_id = %(team)s
