-- Removes access to accounts that the lists which were read to their end do not show any more.
-- An access row loses the scopes that do not show its account. A row that would lose its last scope is unseen.
--
-- Amazon's pages can move while they are read, so one reading may miss an account that is there. An unseen row is
-- deleted at once if a second source agrees: the list of ads accounts and the profiles of all regions of the account
-- were read, and none of them is shown. Every other row needs two complete readings in a row without it, and three if
-- more than one row and more than a hundredth of its list would go at once. If more than half of all rows are unseen,
-- each needs two readings.
--
-- Returns the kind of change ('removed', 'missed', 'doubtful': missed like more than half of all, 'reduced'), the
-- scope, a count and, for 'reduced', the accounts.
WITH suspect AS MATERIALIZED (
    SELECT access.*, account.amazon_account_id, account.source
      FROM accounts_accountaccess access
     CROSS JOIN LATERAL (
           SELECT present.amazon_account_id, present.source FROM user_accounts present
            WHERE present.id = access.account_id LIMIT 1) account
     WHERE access.connection_id = %(connection)s
       AND access.seen_in && %(complete_scopes)s::text[]
       -- Skips the accounts that every earlier list still shows, which are nearly all.
       AND NOT EXISTS (SELECT FROM accounts_staged_of(%(run)s) staged
                        WHERE staged.amazon_account_id = account.amazon_account_id
                          AND staged.seen_in @> access.seen_in)
), shown AS (
    SELECT staged.amazon_account_id, array_agg(scope) AS scopes
      FROM accounts_staged_of(%(run)s) staged
     CROSS JOIN LATERAL unnest(staged.seen_in) scope
     WHERE staged.amazon_account_id IN (SELECT amazon_account_id FROM suspect)
     GROUP BY staged.amazon_account_id
), missed AS MATERIALIZED (
    SELECT suspect.*, ARRAY(SELECT scope FROM unnest(suspect.seen_in) scope
                              WHERE NOT (scope = ANY(%(complete_scopes)s::text[])) OR scope = ANY(shown.scopes)
                              ORDER BY scope) AS remains
      FROM suspect
      LEFT JOIN shown USING (amazon_account_id)
), unseen AS MATERIALIZED (
    SELECT missed.id, missed.seen_in, split_part(missed.seen_in[1], ':', 1) AS list,
           -- Earlier versions marked a row without a count.
           greatest(missed.missed_readings, (missed.missing_since IS NOT NULL)::integer) AS earlier,
           missed.source = 'profiles'
               OR missed.source = 'ads_accounts' AND %(list_is_complete)s AND profiles.are_silent AS is_proven
      FROM missed
     CROSS JOIN LATERAL (
           -- A profile that was never shown in the list of profiles is no second source: Amazon leaves out profiles
           -- without campaigns.
           SELECT coalesce(bool_or(was_shown) AND bool_and(region = ANY(%(complete_regions)s::text[]))
                           AND NOT bool_or(is_shown), false) AS are_silent
             FROM (SELECT region,
                          concat(entity_id, marketplace_id, currency_code, timezone, type) <> '' AS was_shown,
                          EXISTS(SELECT FROM accounts_staged_profile found
                                  WHERE found.run_id = %(run)s AND found.profile_id = present.profile_id) AS is_shown
                     FROM accounts_profile present
                    WHERE present.account_id = missed.account_id OFFSET 0) profile
           ) profiles
     WHERE missed.remains = '{}'
), verdict AS MATERIALIZED (
    SELECT 2 * (SELECT count(*) FROM unseen)
           > (SELECT count(*) FROM accounts_accountaccess
               WHERE connection_id = %(connection)s AND since < %(started_at)s) AS is_most
), leaving AS MATERIALIZED (
    SELECT list, count(*) AS number FROM unseen WHERE NOT is_proven AND earlier > 0 GROUP BY list
), judged AS MATERIALIZED (
    SELECT unseen.*, verdict.is_most,
           CASE WHEN is_proven AND NOT is_most THEN 1
                WHEN is_proven OR coalesce(leaving.number, 0) < 2 THEN 2
                WHEN 100 * leaving.number > (SELECT count(*) FROM accounts_accountaccess present
                                              WHERE present.connection_id = %(connection)s
                                                AND split_part(present.seen_in[1], ':', 1) = leaving.list) THEN 3
                ELSE 2 END AS needed
      FROM unseen
     CROSS JOIN verdict
      LEFT JOIN leaving USING (list)
), reduced AS (
    UPDATE accounts_accountaccess access
       SET seen_in = missed.remains
      FROM missed
     WHERE access.id = missed.id AND missed.remains <> '{}' AND missed.remains <> missed.seen_in
    RETURNING access.account_id
), removed AS (
    DELETE FROM accounts_accountaccess
     WHERE id = ANY((SELECT array_agg(id) FROM judged WHERE earlier + 1 >= needed)::bigint[])
    RETURNING seen_in[1] AS scope
), marked AS (
    UPDATE accounts_accountaccess access
       SET missed_readings = judged.earlier + 1,
           missing_since = coalesce(access.missing_since, statement_timestamp())
      FROM judged
     WHERE access.id = judged.id AND judged.earlier + 1 < judged.needed
    RETURNING CASE WHEN judged.is_most THEN 'doubtful' ELSE 'missed' END AS kind, access.seen_in[1] AS scope
)
SELECT 'removed', scope, count(*), NULL::uuid[] FROM removed GROUP BY scope
UNION ALL
SELECT kind, scope, count(*), NULL FROM marked GROUP BY kind, scope
UNION ALL
SELECT 'reduced', '', count(*), array_agg(account_id) FROM reduced
