-- Copies the labels of profile-only accounts that are gone to the ads accounts that name their profiles now.
-- Labels of the ads account are not overwritten. Only ads accounts that existed before need this: a new ads
-- account takes over the row with its labels (see adopt_profile_only_accounts).
WITH inherited AS (
    SELECT successor.id, jsonb_object_agg(label.key, label.value ORDER BY gone.first_seen_at DESC, gone.id) AS labels
      FROM user_accounts gone
     CROSS JOIN LATERAL jsonb_each(gone.labels) label
      JOIN accounts_profile gone_profile ON gone_profile.account_id = gone.id
      JOIN accounts_profile named_profile ON named_profile.profile_id = gone_profile.profile_id
      JOIN user_accounts successor ON successor.id = named_profile.account_id AND successor.user_id = gone.user_id
     WHERE gone.id = ANY(%(accounts)s) AND gone.source = 'profiles'
       AND successor.source = 'ads_accounts' AND successor.inactive_reason IS NULL
     GROUP BY successor.id
)
UPDATE user_accounts successor
   SET labels = inherited.labels || successor.labels, updated_at = statement_timestamp()
  FROM inherited
 WHERE successor.id = inherited.id AND NOT successor.labels @> (inherited.labels || successor.labels)
   AND (SELECT count(*) FROM jsonb_object_keys(inherited.labels || successor.labels)) <= %(max_labels)s
