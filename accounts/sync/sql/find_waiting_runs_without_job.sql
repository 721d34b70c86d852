-- Lists the runs that have waited for 10 seconds without a job, while no other run of their connection was
-- running. Finds a waiting job by its queueing lock "task:run", and a running job by its argument.
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
