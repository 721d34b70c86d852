-- Deletes staged rows of runs that are not running: a process staged them after its run was closed as dead.
WITH accounts AS (
    DELETE FROM accounts_staged_account AS staged
     WHERE NOT EXISTS (SELECT FROM accounts_syncrun AS run WHERE run.id = staged.run_id AND run.state = 'running')
)
DELETE FROM accounts_staged_profile AS staged
 WHERE NOT EXISTS (SELECT FROM accounts_syncrun AS run WHERE run.id = staged.run_id AND run.state = 'running')
