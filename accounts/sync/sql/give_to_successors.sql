-- Deletes accounts, and gives what belongs to them, other than labels, to their successors (`others`).
-- Changes of the kinds vanished and appeared are kept only if `keeps_all`.
-- An operation that had both accounts counts one account less.
WITH pair AS MATERIALIZED (
    SELECT * FROM unnest(%(accounts)s::uuid[], %(others)s::uuid[]) AS pair (old_id, id)
), moved_changes AS (
    UPDATE accounts_accountchange change
       SET account_id = pair.id
      FROM pair
     WHERE change.account_id = pair.old_id AND (change.kind NOT IN ('vanished', 'appeared') OR %(keeps_all)s)
), removed_changes AS (
    DELETE FROM accounts_accountchange change
     USING pair
     WHERE change.account_id = pair.old_id AND change.kind IN ('vanished', 'appeared') AND NOT %(keeps_all)s
), moved_notes AS (
    UPDATE accounts_note note SET account_id = pair.id FROM pair WHERE note.account_id = pair.old_id
), item AS MATERIALIZED (
    SELECT item.batch_id, item.state, pair.old_id, pair.id,
           row_number() OVER (PARTITION BY item.batch_id, pair.id ORDER BY pair.old_id) > 1
               OR EXISTS (SELECT FROM accounts_batchitem own
                           WHERE own.batch_id = item.batch_id AND own.account_id = pair.id) AS is_surplus
      FROM pair
     CROSS JOIN accounts_batchoperation batch
     CROSS JOIN LATERAL (
           SELECT batch_id, state FROM accounts_batchitem present
            WHERE present.batch_id = batch.id AND present.account_id = pair.old_id OFFSET 0) item
), moved_items AS (
    UPDATE accounts_batchitem present
       SET account_id = item.id
      FROM item
     WHERE present.batch_id = item.batch_id AND present.account_id = item.old_id AND NOT item.is_surplus
), removed_items AS (
    DELETE FROM accounts_batchitem present
     USING item
     WHERE present.batch_id = item.batch_id AND present.account_id = item.old_id AND item.is_surplus
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
     WHERE child.parent_id = pair.old_id AND child.id NOT IN (SELECT old_id FROM pair)
), removed_links AS (
    DELETE FROM accounts_accountmanager link
     USING pair
     WHERE pair.old_id IN (link.manager_id, link.account_id)
), removed_profiles AS (
    DELETE FROM accounts_profile profile USING pair WHERE profile.account_id = pair.old_id
), removed_search AS (
    DELETE FROM accounts_accountsearch search USING pair WHERE search.account_id = pair.old_id
)
DELETE FROM user_accounts account USING pair WHERE account.id = pair.old_id
