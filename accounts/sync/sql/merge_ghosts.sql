-- Deletes ghosts, and gives what belongs to them to the ads accounts that have their profiles.
-- The ads accounts keep their own labels and get the others, with the numbers of the requests that set them. A label
-- that a person has removed from the ads account stays removed. That a ghost vanished, or appeared again, is no change
-- of the ads account. An operation that had both counts one account less.
WITH pair AS MATERIALIZED (
    SELECT * FROM unnest(%(ghosts)s::uuid[], %(successors)s::uuid[]) AS pair (ghost_id, id)
), inherited AS (
    SELECT pair.id, jsonb_object_agg(label.key, label.value ORDER BY ghost.first_seen_at DESC, ghost.id) AS labels,
           jsonb_object_agg(field.name, ghost.request_numbers -> field.name ORDER BY ghost.first_seen_at DESC, ghost.id)
               FILTER (WHERE ghost.request_numbers -> field.name IS NOT NULL) AS request_numbers
      FROM pair
      JOIN user_accounts ghost ON ghost.id = pair.ghost_id
      JOIN user_accounts account ON account.id = pair.id
     CROSS JOIN LATERAL jsonb_each(ghost.labels) label
     CROSS JOIN LATERAL (SELECT 'labels.' || label.key AS name) field
     WHERE account.request_numbers -> field.name IS NULL
     GROUP BY pair.id
), labelled AS (
    UPDATE user_accounts account
       SET labels = inherited.labels || account.labels,
           request_numbers = coalesce(inherited.request_numbers, '{}') || account.request_numbers,
           updated_at = statement_timestamp()
      FROM inherited
     WHERE account.id = inherited.id AND NOT account.labels @> (inherited.labels || account.labels)
), moved_changes AS (
    UPDATE accounts_accountchange change
       SET account_id = pair.id
      FROM pair
     WHERE change.account_id = pair.ghost_id AND change.kind NOT IN ('vanished', 'appeared')
), removed_changes AS (
    DELETE FROM accounts_accountchange change
     USING pair
     WHERE change.account_id = pair.ghost_id AND change.kind IN ('vanished', 'appeared')
), item AS MATERIALIZED (
    SELECT item.batch_id, item.state, pair.ghost_id, pair.id,
           row_number() OVER (PARTITION BY item.batch_id, pair.id ORDER BY pair.ghost_id) > 1
               OR EXISTS (SELECT FROM accounts_batchitem own
                           WHERE own.batch_id = item.batch_id AND own.account_id = pair.id) AS is_surplus
      FROM pair
     CROSS JOIN accounts_batchoperation batch
     CROSS JOIN LATERAL (
           SELECT batch_id, state FROM accounts_batchitem present
            WHERE present.batch_id = batch.id AND present.account_id = pair.ghost_id OFFSET 0) item
), moved_items AS (
    UPDATE accounts_batchitem present
       SET account_id = item.id
      FROM item
     WHERE present.batch_id = item.batch_id AND present.account_id = item.ghost_id AND NOT item.is_surplus
), removed_items AS (
    DELETE FROM accounts_batchitem present
     USING item
     WHERE present.batch_id = item.batch_id AND present.account_id = item.ghost_id AND item.is_surplus
), corrected_batches AS (
    UPDATE accounts_batchoperation batch
       SET total = batch.total - surplus.total, succeeded = batch.succeeded - surplus.succeeded,
           failed = batch.failed - surplus.failed, skipped = batch.skipped - surplus.skipped
      FROM (SELECT batch_id, count(*) AS total, count(*) FILTER (WHERE state = 'succeeded') AS succeeded,
                   count(*) FILTER (WHERE state = 'failed') AS failed,
                   count(*) FILTER (WHERE state = 'skipped') AS skipped
              FROM item
             WHERE is_surplus
             GROUP BY batch_id) surplus
     WHERE batch.id = surplus.batch_id
), moved_children AS (
    UPDATE user_accounts child
       SET parent_id = pair.id, updated_at = statement_timestamp()
      FROM pair
     WHERE child.parent_id = pair.ghost_id AND child.id NOT IN (SELECT ghost_id FROM pair)
), removed_links AS (
    DELETE FROM accounts_accountmanager link
     USING pair
     WHERE pair.ghost_id IN (link.manager_id, link.account_id)
), removed_profiles AS (
    DELETE FROM accounts_profile profile USING pair WHERE profile.account_id = pair.ghost_id
), removed_search AS (
    DELETE FROM accounts_accountsearch search USING pair WHERE search.account_id = pair.ghost_id
)
DELETE FROM user_accounts account USING pair WHERE account.id = pair.ghost_id
