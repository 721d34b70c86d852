-- Clears missing_since of accounts that Amazon shows again, but that cannot be stored.
-- merge_accounts clears missing_since of all other accounts that Amazon shows again.
UPDATE accounts_accountaccess access
   SET missing_since = NULL
  FROM user_accounts account
 WHERE access.connection_id = %(connection)s AND access.missing_since IS NOT NULL
   AND account.id = access.account_id
   AND EXISTS (SELECT FROM accounts_staged_of(%(run)s) staged
                WHERE staged.amazon_account_id = account.amazon_account_id AND staged.seen_in && access.seen_in)
