-- An ads account that Amazon has dropped becomes the account of its first profile that makes an account of its own.
-- Must run between stage_profile_only_accounts, which decides whether the account is dropped, and the merge of what
-- that has staged. The reverse of adopt_profile_only_accounts. If several dropped accounts would become the same
-- account, the oldest does. A dropped account that cannot become another one is unseen, and remove_access takes it
-- away.
WITH candidate AS (
    SELECT DISTINCT ON (account.id) account.id, account.first_seen_at, staged.amazon_account_id
      FROM accounts_accountaccess access
     CROSS JOIN LATERAL (
           SELECT * FROM user_accounts present WHERE present.id = access.account_id LIMIT 1) account
     CROSS JOIN LATERAL (
           SELECT profile_id FROM accounts_profile present WHERE present.account_id = account.id OFFSET 0) profile
      JOIN (SELECT staged.amazon_account_id, unnest(staged.profile_ids) AS profile_id
              FROM accounts_staged_of(%(run)s) staged
             WHERE staged.source = 'profiles' AND staged.position > 0) staged USING (profile_id)
     WHERE access.connection_id = %(connection)s AND access.missed_readings >= %(max_held_readings)s
       AND account.team_id = %(team)s AND account.source = 'ads_accounts'
       AND account.inactive_reason IS DISTINCT FROM 'not_visible'
       AND NOT EXISTS (SELECT FROM accounts_staged_of(%(run)s) shown
                        WHERE shown.amazon_account_id = account.amazon_account_id)
     ORDER BY account.id, profile_id
), heir AS (
    SELECT DISTINCT ON (amazon_account_id) id, amazon_account_id
      FROM candidate
     WHERE NOT EXISTS (SELECT FROM (SELECT team_id FROM user_accounts present
                                     WHERE present.amazon_account_id = candidate.amazon_account_id OFFSET 0) known
                        WHERE known.team_id = %(team)s)
     ORDER BY amazon_account_id, first_seen_at, id
)
UPDATE user_accounts account
   SET amazon_account_id = heir.amazon_account_id, source = 'profiles', updated_at = clock_timestamp()
  FROM heir
 WHERE account.id = heir.id
