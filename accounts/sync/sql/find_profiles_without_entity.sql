-- Lists the profiles that belong to no ads account and that have no entity id, which would be the key of their
-- account. Returns listing, profile id, scope and, if a profile-only account has the profile already, the key
-- of that account.
SELECT staged.walk, staged.profile_id, 'profiles:' || staged.region,
       (SELECT account.amazon_account_id
          FROM (SELECT account_id FROM accounts_profile present
                 WHERE present.profile_id = staged.profile_id OFFSET 0) profile
         CROSS JOIN LATERAL (
               SELECT * FROM user_accounts present WHERE present.id = profile.account_id LIMIT 1) account
         WHERE account.team_id = %(team)s AND account.source = 'profiles'
         LIMIT 1)
  FROM accounts_staged_profiles_of(%(run)s) staged
 WHERE staged.entity_id = ''
   AND NOT EXISTS (SELECT FROM accounts_staged_of(%(run)s) listed
                    CROSS JOIN LATERAL unnest(listed.profile_ids) AS named (profile_id)
                    WHERE named.profile_id = staged.profile_id)
   AND NOT EXISTS (SELECT FROM (SELECT account_id FROM accounts_profile present
                                 WHERE present.profile_id = staged.profile_id OFFSET 0) profile
                    CROSS JOIN LATERAL (
                          SELECT * FROM user_accounts present WHERE present.id = profile.account_id LIMIT 1) account
                     JOIN accounts_staged_account held
                       ON held.run_id = %(run)s AND held.amazon_account_id = account.amazon_account_id
                      AND held.position = 0 AND held.source = 'profiles'
                    WHERE account.team_id = %(team)s AND account.source = 'ads_accounts')
