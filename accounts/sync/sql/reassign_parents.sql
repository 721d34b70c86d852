-- Sets the parent of each of these DSP advertisers to the first agency that still shows the advertiser.
UPDATE user_accounts account
   SET parent_id = agency.account_id, updated_at = statement_timestamp()
  FROM accounts_accountaccess access
 CROSS JOIN LATERAL (
       SELECT profile.account_id
         FROM accounts_profile profile
         JOIN user_accounts agency_account
           ON agency_account.id = profile.account_id AND agency_account.team_id = %(team)s
        WHERE profile.profile_id = (SELECT min(split_part(scope, ':', 3)) FROM unnest(access.seen_in) scope
                                     WHERE starts_with(scope, 'dsp_advertisers:'))
        ORDER BY agency_account.connection_id = %(connection)s DESC, agency_account.id LIMIT 1) agency
 WHERE account.id = ANY(%(accounts)s) AND access.account_id = account.id
   AND access.connection_id = %(connection)s AND account.connection_id = %(connection)s
   AND account.source = 'dsp_advertisers' AND account.parent_id IS DISTINCT FROM agency.account_id
   AND account.sync_enabled AND account.inactive_reason IS NULL
