-- Sets and removes labels of the accounts of one chunk, or switches their sync, and stores the result of each item.
-- sync_enabled NULL leaves the sync as it is. An account is written only if something changes.
WITH wanted AS (
    SELECT id, (labels || %(set)s::jsonb) - %(removed)s::text[] AS labels,
           coalesce(%(sync_enabled)s::boolean, sync_enabled) AS sync_enabled
      FROM user_accounts WHERE id = ANY(%(ids)s)
), allowed AS (
    SELECT * FROM wanted WHERE (SELECT count(*) FROM jsonb_object_keys(labels)) <= %(max_labels)s
), done AS (
    UPDATE user_accounts account
       SET labels = allowed.labels, sync_enabled = allowed.sync_enabled, updated_at = clock_timestamp()
      FROM allowed
     WHERE account.id = allowed.id
       AND (account.labels <> allowed.labels OR account.sync_enabled <> allowed.sync_enabled)
)
UPDATE accounts_batchitem item
   SET state = CASE WHEN allowed.id IS NULL THEN 'failed' ELSE 'succeeded' END,
       message = CASE WHEN allowed.id IS NULL THEN %(too_many)s ELSE 'Updated.' END
  FROM unnest(%(ids)s::uuid[]) asked (id) LEFT JOIN allowed USING (id)
 WHERE item.batch_id = %(batch)s AND item.account_id = asked.id
