-- Gives items the state of their run, as long as the run waits or runs.
-- A running run can wait again: because Amazon asked for a pause, or because its process was stopped.
UPDATE accounts_batchitem item SET state = run.state
  FROM accounts_syncrun run
 WHERE item.batch_id = %(batch)s AND item.run_id = run.id AND item.state <> run.state
   AND item.state IN ('waiting', 'running') AND run.state IN ('waiting', 'running')
