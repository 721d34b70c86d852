-- Sets standing, countries and date of suspension, and status of accounts from their profiles: of `accounts`, and of
-- those that `connection` sees.
-- Writes only accounts that differ. An account that is inactive has no standing. `statuses` maps the words of Amazon's
-- list to a status.
WITH account AS MATERIALIZED (
    SELECT account.id, account.status, account.amazon_status
      FROM (SELECT unnest(%(accounts)s::uuid[]) AS id
             UNION
            SELECT access.account_id FROM accounts_accountaccess access
             WHERE access.connection_id = %(connection)s) chosen
     CROSS JOIN LATERAL (SELECT * FROM user_accounts present WHERE present.id = chosen.id LIMIT 1) account
), summary AS (
    SELECT account.id,
           (array_agg(profile.standing ORDER BY array_position(
               '{suspended,at_risk,set_up,good,unknown}'::text[], profile.standing::text)))[1] AS standing,
           coalesce(array_agg(DISTINCT profile.country_code) FILTER (
               WHERE profile.standing = 'suspended' AND profile.country_code <> ''), '{}') AS suspended_in,
           min(profile.suspension_at) AS suspension_at
      FROM account
     CROSS JOIN LATERAL (
           SELECT * FROM accounts_profile present WHERE present.account_id = account.id OFFSET 0) profile
     WHERE account.status <> 'inactive'
     GROUP BY account.id
), desired AS (
    SELECT account.id, coalesce(summary.standing, 'unknown') AS standing,
           coalesce(summary.suspended_in, '{}') AS suspended_in, summary.suspension_at,
           CASE WHEN account.status = 'inactive' THEN 'inactive'
                ELSE accounts_find_status(
                    coalesce(%(statuses)s::jsonb ->> coalesce(account.amazon_status, ''), 'unknown'),
                    coalesce(summary.standing, 'unknown')) END AS status
      FROM account
      LEFT JOIN summary ON summary.id = account.id
)
UPDATE user_accounts account
   SET standing = desired.standing, suspended_in = desired.suspended_in, suspension_at = desired.suspension_at,
       status = desired.status, updated_at = statement_timestamp()
  FROM (SELECT * FROM desired ORDER BY id) desired
 WHERE account.id = desired.id
   AND (account.standing, account.suspended_in, account.suspension_at, account.status) IS DISTINCT FROM
       (desired.standing::varchar, desired.suspended_in, desired.suspension_at, desired.status::varchar)
