-- Clears the missing mark of accounts that are shown again but cannot be stored.
-- Relies on merge_accounts, which clears the mark of accounts that can be stored.
UPDATE accounts_accountaccess access
   SET missing_since = NULL
  FROM user_accounts account
 WHERE access.connection_id = %(connection)s AND access.missing_since IS NOT NULL
   AND account.id = access.account_id
   AND EXISTS (SELECT FROM accounts_staged_of(%(run)s) staged
                WHERE staged.amazon_account_id = account.amazon_account_id AND staged.seen_in && access.seen_in)
