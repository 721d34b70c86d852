-- Finds the pairs of advertiser and marketplace in these regions about which Amazon's billing should be asked.
-- A pair is due if Amazon never answered, if its answer was not good, if a suspension comes near, or if the answer is
-- old. A pair that Amazon does not tell this connection waits for the interval. Returns for each pair: region,
-- advertiser, marketplace, type of advertiser, the ads account that has it ("" without one), and the ids of its
-- profiles.
WITH candidate AS (
    SELECT profile.id, profile.region, profile.entity_id, profile.marketplace_id, profile.type,
           CASE account.source WHEN 'ads_accounts' THEN account.amazon_account_id END AS ads_account,
           coalesce((profile.billing_refusals -> %(connection)s::text ->> 'at')::timestamptz, '-infinity')
               < statement_timestamp() - %(interval)s::interval
           AND (least(profile.billing_asked_at, profile.notices_asked_at)
                    < statement_timestamp() - %(interval)s::interval
                OR profile.billing_asked_at IS NULL OR profile.notices_asked_at IS NULL
                OR profile.standing <> 'good') AS is_due
      FROM accounts_accountaccess access
     CROSS JOIN LATERAL (
           SELECT * FROM user_accounts present WHERE present.id = access.account_id LIMIT 1) account
     CROSS JOIN LATERAL (
           SELECT * FROM accounts_profile present WHERE present.account_id = account.id OFFSET 0) profile
     WHERE access.connection_id = %(connection)s
       AND account.status IN ('active', 'suspended', 'pending') AND account.sync_enabled
       AND profile.region = ANY(%(regions)s) AND profile.entity_id <> '' AND profile.marketplace_id <> ''
)
SELECT region, entity_id, marketplace_id, upper(min(type)) AS advertiser_type,
       coalesce(min(ads_account), '') AS ads_account, array_agg(id) AS profiles
  FROM candidate
 GROUP BY region, entity_id, marketplace_id
HAVING bool_or(is_due)
