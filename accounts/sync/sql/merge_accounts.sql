-- Merges one chunk of staged rows into accounts, access rows and profiles, and writes only differences.
-- Returns three counts: accounts created, accounts changed, and accounts in the chunk.
--
-- Relies on three conditions: adopt_profile_only_accounts has run for the chunk, the transaction holds the
-- locks of fence_run, and the profiles of all regions are staged. Every part of the statement sees the
-- database as it was before the statement, so each part compares with the old rows. A part that several
-- others use is computed once (MATERIALIZED):
--
--   chunk      the staged rows, the last row of each key, in the order of the keys
--   matched    each staged row with its stored account and access row, and whether this run may write the
--              account
--   stored     the profiles that these accounts have now
--   named      the profiles that the ads accounts name
--   looked_up  each named profile with its staged row (from /v2/profiles) and its stored row
--   profile    the profiles as they should be. If the profiles of a region were not read
--              completely, its stored profiles stay
--   summary    account type and metadata, computed from the profiles of an account
--   desired    the accounts as they should be
WITH chunk AS MATERIALIZED (
    SELECT * FROM accounts_staged_chunk(%(run)s, %(listing)s, %(after)s, %(up_to)s)
), matched AS MATERIALIZED (
    SELECT chunk.*,
           -- An account that Amazon lists is inactive only because its registration failed.
           CASE WHEN chunk.status = 'inactive' THEN 'registration_failed' END AS inactive_reason,
           accounts_find_status(chunk.status, account.standing) AS final_status,
           coalesce(account.id, chunk.new_id) AS account_id,
           account.id IS NULL AS is_new,
           account.connection_id AS old_connection_id, account.source AS old_source, account.name AS old_name,
           account.account_type AS old_account_type, account.status AS old_status,
           account.inactive_reason AS old_inactive_reason, account.amazon_status AS old_amazon_status,
           account.countries AS old_countries, account.parent_id AS old_parent_id,
           account.errors AS old_errors, account.metadata AS old_metadata,
           access.id AS access_id, access.seen_in AS old_seen_in, access.missing_since,
           account.id IS NULL OR (
               account.inactive_reason IS DISTINCT FROM 'disconnected'
               AND (account.sync_enabled OR account.inactive_reason = 'not_visible')
               AND (account.connection_id = %(connection)s OR NOT EXISTS (
                   SELECT FROM (SELECT connection_id, seen_in FROM accounts_accountaccess
                                 WHERE account_id = account.id OFFSET 0) present
                     JOIN tokens_connection current_connection ON current_connection.id = present.connection_id
                    WHERE present.connection_id = account.connection_id
                      AND current_connection.state = 'active'
                      AND current_connection.client_id = %(client)s
                      AND account.unread_regions = '{}'
                      -- Does not count if it sees the account only by its profiles.
                      AND EXISTS (SELECT FROM unnest(present.seen_in) scope
                                   WHERE split_part(scope, ':', 1) = account.source)
                      -- Does not count if its last sync could read none of the lists that showed the account.
                      AND NOT coalesce((
                          SELECT bool_and(scope = ANY(current_connection.unread_lists))
                            FROM unnest(present.seen_in) scope
                           WHERE split_part(scope, ':', 1) = account.source), false)))
               -- When two sources show one account, the source that stands first in the precedence wins while
               -- it still shows the account.
               AND (account.source = chunk.source OR array_position(%(precedence)s::text[], chunk.source)
                        < array_position(%(precedence)s::text[], account.source::text)
                    OR NOT EXISTS (SELECT FROM unnest(access.seen_in) scope
                                    WHERE split_part(scope, ':', 1) = account.source
                                      AND (NOT (scope = ANY(%(complete_scopes)s::text[])) OR EXISTS (
                                          SELECT FROM accounts_staged_account shown
                                           WHERE shown.run_id = %(run)s AND shown.source <> 'ads_accounts'
                                             AND shown.amazon_account_id = chunk.amazon_account_id
                                             AND scope = ANY(shown.seen_in)))))
           ) AS may_write
      FROM chunk
      LEFT JOIN LATERAL (
           SELECT * FROM user_accounts present
            WHERE present.amazon_account_id = chunk.amazon_account_id OFFSET 0) account
        ON account.team_id = %(team)s
      LEFT JOIN LATERAL (
           SELECT * FROM accounts_accountaccess present WHERE present.account_id = account.id OFFSET 0) access
        ON access.connection_id = %(connection)s
), stored AS MATERIALIZED (
    SELECT profile.id, profile.account_id, profile.profile_id, profile.region, profile.country_code,
           profile.marketplace_id, profile.currency_code, profile.timezone, profile.type, profile.subtype,
           profile.name, profile.entity_id, profile.ads_entity_id, profile.access_level,
           profile.valid_payment_method, profile.daily_budget
      FROM matched
     CROSS JOIN LATERAL (
           SELECT * FROM accounts_profile present WHERE present.account_id = matched.account_id OFFSET 0) profile
     WHERE matched.may_write AND NOT matched.is_new
), named AS (
    SELECT matched.account_id, name.profile_id, name.country_code, name.region, name.entity_id
      FROM matched
     CROSS JOIN LATERAL unnest(profile_ids, profile_countries, profile_regions, profile_entities)
                        AS name (profile_id, country_code, region, entity_id)
     WHERE matched.may_write
), looked_up AS (
    SELECT named.*, staged.run_id IS NOT NULL AS is_reported, stored.id AS old_id,
           -- /v2/profiles does not show the profile, but the region was not read completely. Keep the stored
           -- profile.
           staged.run_id IS NULL AND stored.id IS NOT NULL
               AND NOT (stored.region = ANY(%(complete_regions)s::text[])) AS is_kept,
           staged.region AS reported_region, staged.country_code AS reported_country_code, staged.marketplace_id,
           staged.currency_code, staged.timezone, staged.type, staged.subtype, staged.name,
           staged.entity_id AS reported_entity_id, staged.access_level, staged.valid_payment_method,
           staged.daily_budget, staged.raw,
           stored.region AS old_region, stored.country_code AS old_country_code,
           stored.marketplace_id AS old_marketplace_id, stored.currency_code AS old_currency_code,
           stored.timezone AS old_timezone, stored.type AS old_type, stored.subtype AS old_subtype,
           stored.name AS old_name, stored.entity_id AS old_entity_id, stored.ads_entity_id AS old_ads_entity_id,
           stored.access_level AS old_access_level, stored.valid_payment_method AS old_valid_payment_method,
           stored.daily_budget AS old_daily_budget
      FROM named
      LEFT JOIN LATERAL (
           SELECT * FROM accounts_staged_profile found
            WHERE found.run_id = %(run)s AND found.profile_id = named.profile_id
            ORDER BY found.region LIMIT 1) staged ON true
      LEFT JOIN stored ON stored.account_id = named.account_id AND stored.profile_id = named.profile_id
), profile AS MATERIALIZED (
    SELECT account_id, profile_id, old_id,
           CASE WHEN is_reported THEN reported_region WHEN is_kept THEN old_region ELSE region END AS region,
           CASE WHEN is_reported THEN reported_country_code WHEN is_kept THEN old_country_code
                ELSE country_code END AS country_code,
           CASE WHEN is_reported THEN marketplace_id WHEN is_kept THEN old_marketplace_id ELSE '' END AS marketplace_id,
           CASE WHEN is_reported THEN currency_code WHEN is_kept THEN old_currency_code ELSE '' END AS currency_code,
           CASE WHEN is_reported THEN timezone WHEN is_kept THEN old_timezone ELSE '' END AS timezone,
           CASE WHEN is_reported THEN type WHEN is_kept THEN old_type ELSE '' END AS type,
           CASE WHEN is_reported THEN subtype WHEN is_kept THEN old_subtype ELSE '' END AS subtype,
           CASE WHEN is_reported THEN name WHEN is_kept THEN old_name ELSE '' END AS name,
           CASE WHEN is_reported THEN reported_entity_id WHEN is_kept THEN old_entity_id ELSE '' END AS entity_id,
           entity_id AS ads_entity_id,
           CASE WHEN is_reported THEN coalesce(access_level, old_access_level, 'view')
                WHEN is_kept THEN old_access_level ELSE 'view' END AS access_level,
           CASE WHEN is_reported THEN valid_payment_method
                WHEN is_kept THEN old_valid_payment_method END AS valid_payment_method,
           CASE WHEN is_reported THEN daily_budget WHEN is_kept THEN old_daily_budget END AS daily_budget,
           CASE WHEN is_reported THEN raw
                WHEN is_kept THEN (SELECT entry FROM user_accounts account, jsonb_array_elements(
                                     CASE jsonb_typeof(account.metadata -> 'profiles')
                                         WHEN 'array' THEN account.metadata -> 'profiles' ELSE '[]' END) entry
                                  WHERE account.id = account_id AND entry ->> 'profileId' = profile_id
                                  LIMIT 1) END AS raw,
           (old_region, old_country_code, old_marketplace_id, old_currency_code, old_timezone, old_type,
            old_subtype, old_name, old_entity_id, old_ads_entity_id, old_access_level, old_valid_payment_method,
            old_daily_budget) AS old
      FROM looked_up
), summary AS (
    SELECT account_id,
           mode() WITHIN GROUP (ORDER BY type) FILTER (WHERE type IN ('seller', 'vendor', 'agency'))
               AS account_type,
           jsonb_agg(raw ORDER BY profile_id) FILTER (WHERE raw IS NOT NULL) AS reported
      FROM profile
     GROUP BY account_id
), desired AS MATERIALIZED (
    SELECT matched.account_id, matched.amazon_account_id, matched.is_new, matched.source, matched.name,
           coalesce(matched.account_type, summary.account_type, 'unknown') AS account_type,
           matched.final_status AS status, matched.inactive_reason, matched.amazon_status, matched.countries,
           matched.errors, agency.parent_id, new_metadata.metadata,
           matched.is_new OR ((old_connection_id, old_source, old_name, old_account_type, old_status,
                               old_inactive_reason, old_amazon_status, old_countries, old_parent_id, old_errors,
                               old_metadata)
               IS DISTINCT FROM
               (%(connection)s::uuid, matched.source::varchar, matched.name,
                coalesce(matched.account_type, summary.account_type, 'unknown')::varchar, matched.final_status::varchar,
                matched.inactive_reason::varchar, matched.amazon_status, matched.countries, agency.parent_id,
                matched.errors, new_metadata.metadata)) AS differs
      FROM matched
      LEFT JOIN summary ON summary.account_id = matched.account_id
      LEFT JOIN LATERAL (
           -- The parent of a DSP advertiser is the agency of the first profile that shows it.
           SELECT agency_profile.account_id AS parent_id
             FROM accounts_profile agency_profile
             JOIN user_accounts agency ON agency.id = agency_profile.account_id AND agency.team_id = %(team)s
            WHERE matched.source = 'dsp_advertisers'
              AND agency_profile.profile_id = (
                  SELECT min(split_part(scope, ':', 3)) FROM unnest(old_seen_in || matched.seen_in) scope
                   WHERE starts_with(scope, 'dsp_advertisers:'))
            ORDER BY agency.connection_id = %(connection)s DESC, agency.id LIMIT 1) agency ON true
     CROSS JOIN LATERAL (
           SELECT CASE WHEN matched.source = 'manager_accounts'
                       -- One entry per region. The entry of a region that could not be read stays.
                       THEN (coalesce(old_metadata, '{}') - %(complete_manager_regions)s::text[]) || matched.metadata
                       WHEN summary.reported IS NULL THEN matched.metadata
                       ELSE matched.metadata || jsonb_build_object('profiles', summary.reported) END AS metadata
           ) new_metadata
     WHERE matched.may_write
), created AS (
    INSERT INTO user_accounts
           (id, team_id, user_id, amazon_account_id, connection_id, source, name, account_type, status, inactive_reason,
            amazon_status, countries, parent_id, errors, metadata, labels, is_default, sync_enabled,
            first_seen_at, connected_at, updated_at)
    SELECT account_id, %(team)s, %(user)s, amazon_account_id, %(connection)s, source, name, account_type, status,
           inactive_reason, amazon_status, countries, parent_id, errors, metadata, '{}', false, true,
           statement_timestamp(), statement_timestamp(), statement_timestamp()
      FROM desired
     WHERE is_new
     ORDER BY amazon_account_id
    RETURNING id
), changed AS (
    UPDATE user_accounts account
       SET connection_id = %(connection)s, source = desired.source, name = desired.name,
           account_type = desired.account_type, status = desired.status,
           inactive_reason = desired.inactive_reason,
           amazon_status = desired.amazon_status, countries = desired.countries, parent_id = desired.parent_id,
           errors = desired.errors, metadata = desired.metadata, updated_at = statement_timestamp()
      FROM (SELECT * FROM desired WHERE differs AND NOT is_new ORDER BY amazon_account_id) desired
     WHERE account.id = desired.account_id
       -- Checked again on the current row: the account may have been disconnected since it was matched.
       AND account.inactive_reason IS DISTINCT FROM 'disconnected'
       AND (account.sync_enabled OR account.inactive_reason = 'not_visible')
    RETURNING account.id
), new_access AS (
    INSERT INTO accounts_accountaccess (account_id, connection_id, seen_in, since)
    SELECT account_id, %(connection)s, seen_in, statement_timestamp()
      FROM matched
     WHERE access_id IS NULL
     ORDER BY amazon_account_id
), changed_access AS (
    UPDATE accounts_accountaccess access
       SET seen_in = ARRAY(SELECT DISTINCT scope FROM unnest(access.seen_in || matched.seen_in) scope ORDER BY 1),
           missing_since = NULL, missed_readings = 0
      FROM matched
     WHERE access.id = matched.access_id
       AND (NOT matched.old_seen_in @> matched.seen_in OR matched.missing_since IS NOT NULL)
), new_profile AS (
    INSERT INTO accounts_profile
           (account_id, profile_id, region, country_code, marketplace_id, currency_code, timezone, type, subtype,
            name, entity_id, ads_entity_id, access_level, valid_payment_method, daily_budget)
    SELECT account_id, profile_id, region, country_code, marketplace_id, currency_code, timezone, type, subtype,
           name, entity_id, ads_entity_id, access_level, valid_payment_method, daily_budget
      FROM profile
     WHERE old_id IS NULL
     ORDER BY account_id, profile_id
    RETURNING account_id
), changed_profile AS (
    UPDATE accounts_profile stored
       SET region = profile.region, country_code = profile.country_code,
           marketplace_id = profile.marketplace_id, currency_code = profile.currency_code,
           timezone = profile.timezone, type = profile.type, subtype = profile.subtype, name = profile.name,
           entity_id = profile.entity_id, ads_entity_id = profile.ads_entity_id,
           access_level = profile.access_level, valid_payment_method = profile.valid_payment_method,
           daily_budget = profile.daily_budget
      FROM profile
     WHERE stored.id = profile.old_id
       AND profile.old IS DISTINCT FROM
           (profile.region::varchar, profile.country_code, profile.marketplace_id, profile.currency_code,
            profile.timezone, profile.type, profile.subtype, profile.name, profile.entity_id,
            profile.ads_entity_id, profile.access_level::varchar, profile.valid_payment_method,
            profile.daily_budget)
    RETURNING stored.account_id
), removed_profile AS (
    DELETE FROM accounts_profile
     USING stored
     WHERE accounts_profile.id = stored.id
       AND NOT EXISTS (SELECT FROM profile WHERE profile.old_id = stored.id)
    RETURNING accounts_profile.account_id
)
SELECT (SELECT count(*) FROM created),
       (SELECT count(*) FROM (SELECT id FROM changed
                              UNION SELECT account_id FROM new_profile
                              UNION SELECT account_id FROM changed_profile
                              UNION SELECT account_id FROM removed_profile
                              EXCEPT SELECT id FROM created) touched),
       (SELECT count(*) FROM chunk)
