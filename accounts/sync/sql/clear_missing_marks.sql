-- Clears the marks of missing accounts that Amazon shows again, but that cannot be stored.
-- merge_accounts clears the marks of all other accounts that Amazon shows again. An ads account that only its profiles
-- show keeps its mark.
UPDATE accounts_accountaccess access
   SET missing_since = NULL, missed_readings = 0
  FROM user_accounts account
 WHERE access.connection_id = %(connection)s AND access.missing_since IS NOT NULL
   AND account.id = access.account_id
   AND EXISTS (SELECT FROM accounts_staged_of(%(run)s) staged
                WHERE staged.amazon_account_id = account.amazon_account_id AND staged.seen_in && access.seen_in
                  AND NOT (staged.source = 'profiles' AND account.source = 'ads_accounts'))
