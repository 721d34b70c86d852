-- Gives items of a failed run the next run of the connection, if there is one.
-- When a worker dies, its run is closed as failed and the next run is requested in the same transaction. If a run of
-- the connection waits already, the items get that run.
UPDATE accounts_batchitem item SET run_id = next.id, state = 'waiting'
  FROM accounts_syncrun run
  JOIN accounts_syncrun next ON next.connection_id = run.connection_id
   AND next.state IN ('waiting', 'running') AND next.created_at >= run.created_at
 WHERE item.batch_id = %(batch)s AND item.state IN ('waiting', 'running')
   AND item.run_id = run.id AND run.state = 'failed'
