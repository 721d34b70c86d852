-- Sets and removes labels of the accounts of one chunk, or switches their sync, and stores the result of each item.
-- sync_enabled NULL leaves the sync as it is. A field that a newer request changed stays as it is; an item is skipped
-- if all its fields do. The version of an account (updated_at) grows only if a value changes. The item keeps what its
-- labels were, for an undo.
WITH change (field, label, value) AS (
    SELECT 'labels.' || key, key, value FROM jsonb_each(%(set)s::jsonb)
     UNION ALL
    SELECT 'labels.' || name, name, NULL FROM unnest(%(removed)s::text[]) name
     UNION ALL
    SELECT 'sync_enabled', NULL, NULL WHERE %(sync_enabled)s::boolean IS NOT NULL
), asked AS (
    SELECT item.account_id AS id, change.*, account.labels -> change.label AS old,
           coalesce(item.request_number, %(request_number)s) AS number,
           coalesce((account.request_numbers ->> change.field)::bigint, 0)
               > coalesce(item.request_number, %(request_number)s) AS is_overtaken
      FROM accounts_batchitem item
      JOIN user_accounts account ON account.id = item.account_id
     CROSS JOIN change
     WHERE item.batch_id = %(batch)s AND item.account_id = ANY(%(ids)s)
), chosen AS (
    SELECT id, bool_and(is_overtaken) AS is_overtaken,
           coalesce(jsonb_object_agg(label, value) FILTER (WHERE value IS NOT NULL AND NOT is_overtaken), '{}') AS set,
           coalesce(array_agg(label) FILTER (WHERE value IS NULL AND label IS NOT NULL AND NOT is_overtaken), '{}')
               AS removed,
           coalesce(bool_or(field = 'sync_enabled') FILTER (WHERE NOT is_overtaken), false) AS switches_sync,
           jsonb_object_agg(label, old)
               FILTER (WHERE label IS NOT NULL AND NOT is_overtaken AND old IS DISTINCT FROM value) AS labels_before,
           jsonb_object_agg(field, number) FILTER (WHERE NOT is_overtaken) AS numbers,
           string_agg(field, ', ' ORDER BY field) FILTER (WHERE is_overtaken) AS overtaken
      FROM asked GROUP BY id
), wanted AS (
    SELECT account.id, (account.labels || chosen.set) - chosen.removed AS labels,
           CASE WHEN switches_sync THEN %(sync_enabled)s::boolean ELSE account.sync_enabled END AS sync_enabled,
           (SELECT coalesce(jsonb_object_agg(key, value), '{}') FROM jsonb_each(account.request_numbers)
             WHERE value::bigint > %(last_forgettable)s) || chosen.numbers AS request_numbers
      FROM user_accounts account JOIN chosen USING (id)
     WHERE NOT is_overtaken
), allowed AS (
    SELECT * FROM wanted WHERE (SELECT count(*) FROM jsonb_object_keys(labels)) <= %(max_labels)s
), done AS (
    UPDATE user_accounts account
       SET labels = allowed.labels, sync_enabled = allowed.sync_enabled, request_numbers = allowed.request_numbers,
           updated_at = CASE WHEN account.labels <> allowed.labels OR account.sync_enabled <> allowed.sync_enabled
                             THEN clock_timestamp() ELSE account.updated_at END
      FROM allowed
     WHERE account.id = allowed.id
)
UPDATE accounts_batchitem item
   SET state = CASE WHEN chosen.is_overtaken THEN 'skipped'
                    WHEN allowed.id IS NULL THEN 'failed' ELSE 'succeeded' END,
       labels_before = CASE WHEN allowed.id IS NOT NULL THEN chosen.labels_before END,
       message = CASE WHEN chosen.is_overtaken THEN %(overtaken)s
                      WHEN allowed.id IS NULL THEN %(too_many)s
                      WHEN chosen.overtaken IS NULL THEN 'Updated.'
                      ELSE 'Updated, except for what a newer request changed: ' || chosen.overtaken || '.' END
  FROM unnest(%(ids)s::uuid[]) listed (id) LEFT JOIN chosen USING (id) LEFT JOIN allowed USING (id)
 WHERE item.batch_id = %(batch)s AND item.account_id = listed.id
