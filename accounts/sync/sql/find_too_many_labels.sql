-- Finds the accounts whose labels would be too many for the accounts that get them: see unite_labels.sql.
SELECT old.id
  FROM unnest(%(accounts)s::uuid[], %(others)s::uuid[]) AS pair (old_id, id)
  JOIN user_accounts old ON old.id = pair.old_id
  JOIN user_accounts account ON account.id = pair.id
 CROSS JOIN LATERAL (
       SELECT count(*) AS number FROM jsonb_object_keys(old.labels) AS label (key)
        WHERE NOT jsonb_exists(account.labels, label.key)
          AND account.request_numbers -> ('labels.' || label.key) IS NULL) added
 CROSS JOIN LATERAL (
       SELECT count(*) AS number FROM jsonb_object_keys(account.labels)) own
 WHERE added.number > 0 AND own.number + added.number > %(max_labels)s
