-- Counts the accounts that each connection sees and another one syncs, among the first that it sees.
SELECT connection, shared, seen > %(max)s AS or_more
  FROM unnest(%(connections)s) connection
 CROSS JOIN LATERAL (
    SELECT count(*) AS seen, count(*) FILTER (WHERE account.connection_id <> connection) AS shared
      FROM (SELECT account_id FROM accounts_accountaccess WHERE connection_id = connection LIMIT %(max)s + 1) first
      JOIN user_accounts account ON account.id = first.account_id
  ) counted
