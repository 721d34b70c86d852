-- Stores which accounts each manager account manages, for the manager accounts that this run may write.
-- A link leads to the accounts that have its profile and to its DSP advertiser. A link without profile and
-- advertiser leads to the account with its account id. Stored links stay in a region that could not be read,
-- and in a region where Amazon's list was cut at its maximum.
WITH reported AS MATERIALIZED (
    SELECT account.id AS manager_id, staged.links, staged.cut_regions
      FROM accounts_staged_account staged
     CROSS JOIN LATERAL (
           SELECT * FROM user_accounts present
            WHERE present.amazon_account_id = staged.amazon_account_id OFFSET 0) account
     WHERE staged.run_id = %(run)s AND staged.source = 'manager_accounts' AND staged.links IS NOT NULL
       AND account.team_id = %(team)s AND account.connection_id = %(connection)s
       AND account.inactive_reason IS NULL AND account.sync_enabled
), target AS (
    SELECT reported.manager_id, found.account_id, link.region
      FROM reported
     CROSS JOIN LATERAL jsonb_to_recordset(reported.links)
                        AS link (region text, profile_id text, advertiser_id text, account_id text)
     CROSS JOIN LATERAL (
           SELECT profile.account_id
             FROM accounts_profile profile
             JOIN user_accounts account ON account.id = profile.account_id AND account.team_id = %(team)s
            WHERE profile.profile_id = link.profile_id
           UNION
           SELECT account.id
             FROM user_accounts account
            WHERE account.team_id = %(team)s
              AND account.amazon_account_id = coalesce(
                  link.advertiser_id, CASE WHEN link.profile_id IS NULL THEN link.account_id END)
           ) found
     WHERE found.account_id <> reported.manager_id
), shown AS (
    SELECT manager_id, account_id, array_agg(DISTINCT region) AS regions
      FROM target
     GROUP BY manager_id, account_id
), stored AS (
    SELECT link.*, ARRAY(SELECT region FROM unnest(link.regions) region
                          WHERE NOT (region = ANY(%(complete_manager_regions)s::text[]))
                             OR EXISTS (SELECT FROM reported WHERE reported.manager_id = link.manager_id
                                                           AND region = ANY(reported.cut_regions))) AS kept
      FROM accounts_accountmanager link
     WHERE link.manager_id IN (SELECT manager_id FROM reported)
), desired AS MATERIALIZED (
    SELECT manager_id, account_id, stored.id AS old_id, stored.regions AS old_regions,
           ARRAY(SELECT DISTINCT region FROM unnest(shown.regions || stored.kept::text[]) region ORDER BY 1) AS regions
      FROM shown
      FULL JOIN stored USING (manager_id, account_id)
), created AS (
    INSERT INTO accounts_accountmanager (manager_id, account_id, regions)
    SELECT manager_id, account_id, regions FROM desired WHERE old_id IS NULL ORDER BY manager_id, account_id
), changed AS (
    UPDATE accounts_accountmanager link
       SET regions = desired.regions
      FROM desired
     WHERE link.id = desired.old_id AND desired.regions <> '{}'
       AND desired.regions <> desired.old_regions::text[]
)
DELETE FROM accounts_accountmanager link
 USING desired
 WHERE link.id = desired.old_id AND desired.regions = '{}'
