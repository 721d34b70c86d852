-- Runs that have waited for 10 seconds although no job for them exists and no other run of their connection is active.
-- A job that waits is found by its queueing lock "task:run", a job that is being done by its argument.
SELECT run.id
  FROM accounts_syncrun AS run
 WHERE run.state = 'waiting'
   AND run.created_at < now() - interval '10 seconds'
   AND NOT EXISTS (
           SELECT FROM accounts_syncrun AS other
            WHERE other.connection_id = run.connection_id AND other.state = 'running'
       )
   AND NOT EXISTS (
           SELECT FROM procrastinate_jobs AS job
            WHERE job.queueing_lock = %(task)s || ':' || run.id AND job.status = 'todo'
       )
   AND NOT EXISTS (
           SELECT FROM procrastinate_jobs AS job
            WHERE job.status = 'doing' AND job.task_name = %(task)s AND job.args ->> 'run_id' = run.id::text
       )
