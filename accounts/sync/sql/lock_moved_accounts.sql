-- Locks the accounts that a connection sees or has, and the same accounts of another team, in the order in which a
-- sync writes them.
WITH related AS (
    SELECT account_id AS id FROM accounts_accountaccess WHERE connection_id = %(connection)s
    UNION
    SELECT id FROM user_accounts WHERE connection_id = %(connection)s
), wanted AS MATERIALIZED (
    SELECT account.id, twin.id AS twin_id
      FROM related
      JOIN user_accounts account ON account.id = related.id
      LEFT JOIN LATERAL (
           SELECT * FROM user_accounts present
            WHERE present.amazon_account_id = account.amazon_account_id OFFSET 0) twin
        ON twin.team_id = %(team)s
)
SELECT
  FROM user_accounts
 WHERE id IN (SELECT id FROM wanted UNION ALL SELECT twin_id FROM wanted)
 ORDER BY team_id, amazon_account_id
   FOR NO KEY UPDATE
