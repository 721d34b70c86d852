-- Stages accounts for the profiles that no ads account of this run names.
-- The key of an account is the entity id of its profiles. The account belongs to the listing of its first
-- region. Returns the listing and the position of each row.
--
-- A profile of a stored ads account that this run did not list makes no account of its own: the list may have moved
-- while it was read. The ads account is staged at position 0, as shown by the list of profiles. An ads account that is
-- not visible counts only if no visible account has the profile, and none that was visible later.
--
-- Amazon has dropped an ads account when the earlier readings missed it as well (hold_accounts_by_profiles counts
-- them), no other connection lists it, and no list of its profiles is in doubt. Its profiles make accounts of their
-- own.
--
-- If the list of ads accounts was not read completely, or misses more than half of the accounts (see
-- remove_access), an ads account that was not read may name the profile. In this case, only the profiles of
-- stored profile-only accounts are staged. If the profiles of a region were not read completely, the stored
-- profiles of this region stay with their account.
WITH listed AS MATERIALIZED (
    SELECT position, amazon_account_id, profile_ids
      FROM accounts_staged_of(%(run)s)
     WHERE source = 'ads_accounts'
), named AS MATERIALIZED (
    SELECT name.profile_id
      FROM listed
     CROSS JOIN LATERAL unnest(listed.profile_ids) AS name (profile_id)
    UNION ALL
    -- An ads account that is listed but cannot be stored still names its stored profiles.
    SELECT profile.profile_id
      FROM listed
     CROSS JOIN LATERAL (
           SELECT id, team_id FROM user_accounts present
            WHERE present.amazon_account_id = listed.amazon_account_id OFFSET 0) account
     CROSS JOIN LATERAL (
           SELECT profile_id FROM accounts_profile present WHERE present.account_id = account.id OFFSET 0) profile
     WHERE listed.position = 0 AND account.team_id = %(team)s
), unclaimed AS MATERIALIZED (
    SELECT staged.*
      FROM accounts_staged_profiles_of(%(run)s) staged
     WHERE NOT EXISTS (SELECT FROM named WHERE named.profile_id = staged.profile_id)
), stored AS MATERIALIZED (
    SELECT unclaimed.profile_id, unclaimed.walk, unclaimed.region, unclaimed.new_account_id, unclaimed.entity_id,
           account.id, account.amazon_account_id, account.source, account.updated_at,
           coalesce(account.inactive_reason = 'not_visible', false) AS is_gone
      FROM unclaimed
     CROSS JOIN LATERAL (
           SELECT account_id FROM accounts_profile present
            WHERE present.profile_id = unclaimed.profile_id OFFSET 0) profile
     CROSS JOIN LATERAL (
           SELECT * FROM user_accounts present WHERE present.id = profile.account_id LIMIT 1) account
     WHERE account.team_id = %(team)s
       AND NOT EXISTS (SELECT FROM listed WHERE listed.amazon_account_id = account.amazon_account_id)
), dropped AS MATERIALIZED (
    SELECT known.id
      FROM (SELECT id FROM stored
             WHERE source = 'ads_accounts' AND NOT is_gone
             GROUP BY id HAVING bool_and(entity_id <> '')) known
     CROSS JOIN LATERAL (
           SELECT bool_or(connection_id = %(connection)s AND missed_readings >= %(max_held_readings)s)
                  AND NOT bool_or(connection_id <> %(connection)s AND seen_in @> '{ads_accounts}') AS is_missed
             FROM (SELECT * FROM accounts_accountaccess present
                    WHERE present.account_id = known.id OFFSET 0) access) seen
     WHERE seen.is_missed
       AND NOT EXISTS (SELECT FROM (SELECT region FROM accounts_profile present
                                     WHERE present.account_id = known.id OFFSET 0) profile
                        WHERE profile.region = ANY(%(doubtful_regions)s::text[]))
), held AS MATERIALIZED (
    SELECT profile_id, walk, region, new_account_id, amazon_account_id
      FROM stored
     WHERE source = 'ads_accounts' AND NOT is_gone AND id NOT IN (SELECT id FROM dropped)
    UNION ALL
    SELECT profile_id, walk, region, new_account_id, amazon_account_id
      FROM (SELECT DISTINCT ON (profile_id) stored.*
              FROM stored
             WHERE NOT EXISTS (SELECT FROM stored other
                                WHERE other.profile_id = stored.profile_id AND NOT other.is_gone)
             ORDER BY profile_id, updated_at DESC, amazon_account_id) returned
     WHERE source = 'ads_accounts'
), earlier AS MATERIALIZED (
    SELECT access.seen_in, access.missing_since, account.amazon_account_id
      FROM accounts_accountaccess access
     CROSS JOIN LATERAL (
           SELECT present.amazon_account_id FROM user_accounts present
            WHERE present.id = access.account_id LIMIT 1) account
     WHERE access.connection_id = %(connection)s AND access.since < %(started_at)s
), missing AS MATERIALIZED (
    SELECT earlier.missing_since
      FROM earlier
     WHERE earlier.seen_in = '{ads_accounts}'
       AND NOT EXISTS (SELECT FROM listed WHERE listed.amazon_account_id = earlier.amazon_account_id)
), ads_list AS (
    SELECT %(list_is_complete)s AND NOT (
               2 * (SELECT count(*) FROM missing) > (SELECT count(*) FROM earlier)
               AND EXISTS (SELECT FROM missing WHERE missing_since IS NULL)) AS is_trusted
), profile_only AS MATERIALIZED (
    SELECT DISTINCT ON (unclaimed.profile_id) unclaimed.*
      FROM unclaimed
     -- A scalar subquery, so that ads_list is computed only if there is an unclaimed profile.
     WHERE unclaimed.entity_id <> '' AND CASE WHEN (SELECT is_trusted FROM ads_list) THEN
           NOT EXISTS (SELECT FROM held WHERE held.profile_id = unclaimed.profile_id)
        ELSE EXISTS (
           SELECT FROM (SELECT team_id, source FROM user_accounts present
                         WHERE present.amazon_account_id = unclaimed.entity_id OFFSET 0) known
            WHERE known.team_id = %(team)s AND known.source = 'profiles')
           AND (SELECT coalesce(bool_or(owner_account.source = 'profiles'), true)
                  FROM (SELECT account_id FROM accounts_profile present
                         WHERE present.profile_id = unclaimed.profile_id OFFSET 0) profile
                 CROSS JOIN LATERAL (
                       SELECT * FROM user_accounts present WHERE present.id = profile.account_id LIMIT 1) owner_account
                 WHERE owner_account.team_id = %(team)s
                   AND owner_account.inactive_reason IS DISTINCT FROM 'not_visible'
                   AND EXISTS (SELECT FROM accounts_accountaccess access
                                WHERE access.account_id = owner_account.id
                                  AND access.connection_id = %(connection)s OFFSET 0))
           END
     ORDER BY unclaimed.profile_id, unclaimed.region
), kept_profile AS (
    SELECT account.amazon_account_id, profile.*
      FROM (SELECT DISTINCT entity_id FROM profile_only) present
     CROSS JOIN LATERAL (
           SELECT id, amazon_account_id, team_id, source FROM user_accounts known
            WHERE known.amazon_account_id = present.entity_id OFFSET 0) account
     CROSS JOIN LATERAL (
           SELECT * FROM accounts_profile known
            WHERE known.account_id = account.id AND NOT (known.region = ANY(%(complete_regions)s::text[]))
           OFFSET 0) profile
     WHERE account.team_id = %(team)s AND account.source = 'profiles'
       AND NOT EXISTS (SELECT FROM profile_only WHERE profile_only.profile_id = profile.profile_id)
       AND NOT EXISTS (SELECT FROM named WHERE named.profile_id = profile.profile_id)
), part AS (
    SELECT entity_id AS key, walk, profile_id, region, country_code, name, new_account_id FROM profile_only
    UNION ALL
    SELECT amazon_account_id, NULL, profile_id, region, country_code, name, NULL FROM kept_profile
)
INSERT INTO accounts_staged_account
       (run_id, walk, position, amazon_account_id, new_id, source, seen_in, name, status, countries, errors,
        metadata, profile_ids, profile_countries, profile_regions, profile_entities)
SELECT %(run)s, min(walk), row_number() OVER (PARTITION BY min(walk) ORDER BY key), key,
       (array_agg(new_account_id ORDER BY profile_id) FILTER (WHERE new_account_id IS NOT NULL))[1], 'profiles',
       array_agg(DISTINCT concat('profiles:', region)) FILTER (WHERE walk IS NOT NULL),
       coalesce((array_agg(name ORDER BY profile_id) FILTER (WHERE name <> ''))[1], ''), 'active',
       coalesce(array_agg(DISTINCT country_code) FILTER (WHERE country_code <> ''), '{}'), '{}'::jsonb, '{}'::jsonb,
       array_agg(profile_id ORDER BY profile_id), array_agg(country_code ORDER BY profile_id),
       array_agg(region ORDER BY profile_id), array_agg(''::text ORDER BY profile_id)
  FROM part
 GROUP BY key
UNION ALL
SELECT %(run)s, min(walk), 0, amazon_account_id, (array_agg(new_account_id))[1], 'profiles',
       array_agg(DISTINCT concat('profiles:', region)), '', 'active', '{}', '{}', '{}', '{}', '{}', '{}', '{}'
  FROM held
 -- The CASE too keeps ads_list from being computed when nothing is held.
 WHERE CASE WHEN held.profile_id <> '' THEN (SELECT is_trusted FROM ads_list) END
 GROUP BY amazon_account_id
RETURNING walk, position
