-- Gives the labels of accounts to other accounts, which keep their own labels.
-- The labels come with the numbers of the requests that set them. A label that a person has removed from the other
-- account stays removed.
WITH inherited AS (
    SELECT pair.id, jsonb_object_agg(label.key, label.value ORDER BY old.first_seen_at DESC, old.id) AS labels,
           jsonb_object_agg(field.name, old.request_numbers -> field.name ORDER BY old.first_seen_at DESC, old.id)
               FILTER (WHERE old.request_numbers -> field.name IS NOT NULL) AS request_numbers
      FROM unnest(%(accounts)s::uuid[], %(others)s::uuid[]) AS pair (old_id, id)
      JOIN user_accounts old ON old.id = pair.old_id
      JOIN user_accounts account ON account.id = pair.id
     CROSS JOIN LATERAL jsonb_each(old.labels) label
     CROSS JOIN LATERAL (SELECT 'labels.' || label.key AS name) field
     WHERE account.request_numbers -> field.name IS NULL
     GROUP BY pair.id
)
UPDATE user_accounts account
   SET labels = inherited.labels || account.labels,
       request_numbers = coalesce(inherited.request_numbers, '{}') || account.request_numbers,
       updated_at = statement_timestamp()
  FROM inherited
 WHERE account.id = inherited.id AND NOT account.labels @> (inherited.labels || account.labels)
