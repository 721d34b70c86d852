-- Locks accounts in the order in which a sync writes them, so that a batch and a sync cannot deadlock.
SELECT
  FROM user_accounts
 WHERE id = ANY(%(ids)s)
 ORDER BY team_id, amazon_account_id
   FOR NO KEY UPDATE
