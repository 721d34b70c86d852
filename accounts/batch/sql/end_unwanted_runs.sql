-- Ends the waiting runs that no item waits for any more; the caller has locked them.
-- Somebody who joins a waiting run changes its trigger, so a run with the trigger "batch" belongs to batches alone.
-- A run that never began is deleted; a run that was put back ends with what it had read.
WITH unwanted AS (
    SELECT id, started_before FROM (
        SELECT id, sources <> '[]' AS started_before FROM accounts_syncrun
         WHERE id = ANY(%(runs)s) AND state = 'waiting' AND trigger = 'batch'
    ) waiting
     WHERE NOT EXISTS (SELECT FROM accounts_batchitem item
                        WHERE item.run_id = waiting.id AND item.state IN ('waiting', 'running'))
       AND NOT EXISTS (SELECT FROM accounts_connectionbatchitem item
                        WHERE item.run_id = waiting.id AND item.state IN ('waiting', 'running'))
), ended AS (
    UPDATE accounts_syncrun run
       SET state = 'failed', finished_at = greatest(now(), created_at), error = 'Cancelled while it waited for Amazon.'
      FROM unwanted WHERE run.id = unwanted.id AND started_before
)
DELETE FROM accounts_syncrun run USING unwanted WHERE run.id = unwanted.id AND NOT started_before
