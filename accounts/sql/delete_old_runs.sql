-- Deletes finished runs from before a time, at most as many as given. The changes that they made stay, without a run.
-- Batch items keep the id of a deleted run. The ORM would look for these items, which no index finds.
WITH old AS (
    SELECT id
      FROM accounts_syncrun
     WHERE created_at < %(before)s AND state NOT IN ('waiting', 'running')
     LIMIT %(batch_size)s
), changes AS (
    UPDATE accounts_accountchange SET run_id = NULL FROM old WHERE run_id = old.id
)
DELETE FROM accounts_syncrun USING old WHERE accounts_syncrun.id = old.id
