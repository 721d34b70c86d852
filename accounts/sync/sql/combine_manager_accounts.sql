-- Combines the staged parts (position < 0) of each manager account, and of each linked advertiser, into one
-- row. The row contains what every region reports. It belongs to the listing of the first region. Returns the
-- listing and the position of each row.
WITH part AS (
    SELECT staged.*, region.key AS region, region.value AS raw
      FROM accounts_staged_account staged
      LEFT JOIN LATERAL jsonb_each(staged.metadata) region ON true
     WHERE staged.run_id = %(run)s AND staged.source = 'manager_accounts' AND staged.position < 0
)
INSERT INTO accounts_staged_account
       (run_id, walk, position, amazon_account_id, new_id, source, seen_in, name, account_type, status, countries,
        errors, metadata, profile_ids, profile_countries, profile_regions, profile_entities)
SELECT %(run)s, min(walk), row_number() OVER (PARTITION BY min(walk) ORDER BY amazon_account_id),
       amazon_account_id, (array_agg(new_id))[1], 'manager_accounts', array_agg(DISTINCT seen_in[1]),
       coalesce((array_agg(name ORDER BY walk) FILTER (WHERE name <> ''))[1], ''), min(account_type), 'active', '{}',
       '{}', coalesce(jsonb_object_agg(region, raw) FILTER (WHERE region IS NOT NULL), '{}'), '{}', '{}', '{}', '{}'
  FROM part
 GROUP BY amazon_account_id
RETURNING walk, position
