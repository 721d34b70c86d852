-- undo_labels
-- Gives the accounts of one chunk the labels back that another batch changed, and stores the result of each item.
-- A label comes back only where it still is as that batch left it, and no newer request than the undo named it. An item
-- is skipped if no label comes back. The version of an account (updated_at) grows only if a value changes.
WITH asked AS (
    SELECT item.account_id AS id, former.key AS label, former.value AS old,
           coalesce(item.request_number, %(request_number)s) AS number,
           coalesce(account.labels -> former.key, 'null') = coalesce(undone.options -> 'labels' -> former.key, 'null')
           AND coalesce((account.request_numbers ->> ('labels.' || former.key))::bigint, 0)
               <= coalesce(item.request_number, %(request_number)s) AS is_as_left
      FROM accounts_batchitem item
      JOIN user_accounts account ON account.id = item.account_id
      JOIN accounts_batchitem kept ON kept.batch_id = %(undoes)s AND kept.account_id = item.account_id
      JOIN accounts_batchoperation undone ON undone.id = kept.batch_id
     CROSS JOIN jsonb_each(kept.labels_before) former
     WHERE item.batch_id = %(batch)s AND item.account_id = ANY(%(ids)s)
), chosen AS (
    SELECT id, bool_or(is_as_left) AS comes_back,
           coalesce(jsonb_object_agg(label, old) FILTER (WHERE is_as_left AND old <> 'null'), '{}') AS set,
           coalesce(array_agg(label) FILTER (WHERE is_as_left AND old = 'null'), '{}') AS removed,
           jsonb_object_agg('labels.' || label, number) FILTER (WHERE is_as_left) AS numbers,
           string_agg(label, ', ' ORDER BY label) FILTER (WHERE NOT is_as_left) AS changed
      FROM asked GROUP BY id
), wanted AS (
    SELECT account.id, (account.labels || chosen.set) - chosen.removed AS labels,
           (SELECT coalesce(jsonb_object_agg(key, value), '{}') FROM jsonb_each(account.request_numbers)
             WHERE value::bigint > %(last_forgettable)s) || chosen.numbers AS request_numbers
      FROM user_accounts account JOIN chosen USING (id)
     WHERE comes_back
), allowed AS (
    SELECT * FROM wanted WHERE (SELECT count(*) FROM jsonb_object_keys(labels)) <= %(max_labels)s
), done AS (
    UPDATE user_accounts account
       SET labels = allowed.labels, request_numbers = allowed.request_numbers,
           updated_at = CASE WHEN account.labels <> allowed.labels THEN clock_timestamp() ELSE account.updated_at END
      FROM allowed
     WHERE account.id = allowed.id
)
UPDATE accounts_batchitem item
   SET state = CASE WHEN chosen.id IS NULL OR NOT chosen.comes_back THEN 'skipped'
                    WHEN allowed.id IS NULL THEN 'failed' ELSE 'succeeded' END,
       message = CASE WHEN chosen.id IS NULL THEN %(forgotten)s
                      WHEN NOT chosen.comes_back THEN 'It was changed since: ' || chosen.changed || '.'
                      WHEN allowed.id IS NULL THEN %(too_many)s
                      WHEN chosen.changed IS NULL THEN 'Undone.'
                      ELSE 'Undone, except for what was changed since: ' || chosen.changed || '.' END
  FROM unnest(%(ids)s::uuid[]) listed (id) LEFT JOIN chosen USING (id) LEFT JOIN allowed USING (id)
 WHERE item.batch_id = %(batch)s AND item.account_id = listed.id
