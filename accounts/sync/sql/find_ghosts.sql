-- Finds the ghosts of a team: profile-only accounts that are not visible, because ads accounts have their profiles.
-- Every profile of a ghost belongs to a visible ads account; the ghost continues in the ads account of its first
-- profile. A ghost stays while a batch operation with it is unfinished, or if the labels of both would be too many.
-- Returns the ids of the ghosts and of the ads accounts.
WITH ghost AS MATERIALIZED (
    SELECT id, labels
      FROM user_accounts
     WHERE team_id = %(team)s AND status = 'inactive' AND source = 'profiles' AND inactive_reason = 'not_visible'
), successor AS MATERIALIZED (
    SELECT DISTINCT ON (ghost.id) ghost.id AS ghost_id, ghost.labels AS ghost_labels, account.id, account.labels
      FROM ghost
     CROSS JOIN LATERAL (
           SELECT profile_id FROM accounts_profile present WHERE present.account_id = ghost.id OFFSET 0) profile
     CROSS JOIN LATERAL (
           SELECT account_id FROM accounts_profile present
            WHERE present.profile_id = profile.profile_id OFFSET 0) other
     CROSS JOIN LATERAL (
           SELECT * FROM user_accounts present WHERE present.id = other.account_id LIMIT 1) account
     WHERE account.team_id = %(team)s AND account.source = 'ads_accounts'
       AND account.inactive_reason IS DISTINCT FROM 'not_visible'
     ORDER BY ghost.id, profile.profile_id, account.inactive_reason = 'disconnected', account.first_seen_at, account.id
)
SELECT ghost_id, id
  FROM successor
 WHERE NOT EXISTS (
           SELECT FROM accounts_profile profile
            WHERE profile.account_id = successor.ghost_id
              AND NOT EXISTS (
                  SELECT FROM (SELECT account_id FROM accounts_profile present
                                WHERE present.profile_id = profile.profile_id OFFSET 0) other
                   CROSS JOIN LATERAL (
                         SELECT * FROM user_accounts present WHERE present.id = other.account_id LIMIT 1) account
                   WHERE account.team_id = %(team)s AND account.source = 'ads_accounts'
                     AND account.inactive_reason IS DISTINCT FROM 'not_visible'))
   AND NOT EXISTS (
           SELECT FROM accounts_accountaccess access WHERE access.account_id = successor.ghost_id)
   AND NOT EXISTS (
           SELECT FROM accounts_batchoperation batch
            CROSS JOIN LATERAL (
                  SELECT FROM accounts_batchitem item
                   WHERE item.batch_id = batch.id AND item.account_id = successor.ghost_id OFFSET 0) item
            WHERE batch.finished_at IS NULL)
   AND (SELECT count(*) FROM jsonb_object_keys(ghost_labels || labels)) <= greatest(
           %(max_labels)s, (SELECT count(*) FROM jsonb_object_keys(labels)))
