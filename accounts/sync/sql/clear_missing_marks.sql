-- Clears the mark of accounts that were missed once and are shown again, even if they are shown so that they cannot be
-- stored. What could be stored was cleared by merge_accounts.
UPDATE accounts_accountaccess access
   SET missing_since = NULL
  FROM user_accounts account
 WHERE access.connection_id = %(connection)s AND access.missing_since IS NOT NULL
   AND account.id = access.account_id
   AND EXISTS (SELECT FROM accounts_staged_of(%(run)s) staged
                WHERE staged.amazon_account_id = account.amazon_account_id AND staged.seen_in && access.seen_in)
