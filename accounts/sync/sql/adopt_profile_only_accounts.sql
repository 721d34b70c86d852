-- When a new ads account contains a profile of a profile-only account, that row becomes the ads account.
-- Must run before merge_accounts for the same chunk. If an ads account contains profiles of several
-- profile-only accounts, the oldest row becomes the ads account. An account that a person disconnected, or
-- whose sync is off, keeps its connection.
WITH newcomer AS MATERIALIZED (
    SELECT staged.amazon_account_id, staged.profile_ids
      FROM accounts_staged_chunk(%(run)s, %(listing)s, %(after)s, %(up_to)s) staged
      LEFT JOIN LATERAL (
           SELECT id, team_id FROM user_accounts present
            WHERE present.amazon_account_id = staged.amazon_account_id OFFSET 0) account
        ON account.team_id = %(team)s
     WHERE account.id IS NULL
), candidate AS (
    SELECT DISTINCT ON (newcomer.amazon_account_id) newcomer.amazon_account_id, account.id
      FROM newcomer
     CROSS JOIN LATERAL unnest(newcomer.profile_ids) AS named (profile_id)
     CROSS JOIN LATERAL (
           SELECT account_id FROM accounts_profile present
            WHERE present.profile_id = named.profile_id OFFSET 0) profile
     CROSS JOIN LATERAL (
           SELECT * FROM user_accounts present WHERE present.id = profile.account_id LIMIT 1) account
     CROSS JOIN LATERAL (
           SELECT connection_id FROM accounts_accountaccess present
            WHERE present.account_id = account.id OFFSET 0) access
     WHERE account.team_id = %(team)s AND account.source = 'profiles' AND access.connection_id = %(connection)s
     ORDER BY newcomer.amazon_account_id, account.first_seen_at, account.id
), adopted AS (
    SELECT DISTINCT ON (id) id, amazon_account_id FROM candidate ORDER BY id, amazon_account_id
)
UPDATE user_accounts account
   SET amazon_account_id = adopted.amazon_account_id, source = 'ads_accounts', updated_at = clock_timestamp(),
       connection_id = CASE WHEN account.sync_enabled AND account.inactive_reason IS DISTINCT FROM 'disconnected'
                            THEN %(connection)s ELSE account.connection_id END
  FROM adopted
 WHERE account.id = adopted.id
