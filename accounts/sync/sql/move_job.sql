-- Moves the waiting job of a run to the queue of the run, and wakes the workers of the queue.
-- "at" NULL leaves its time as it is. Procrastinate wakes workers only for new jobs; the payload is the one it sends.
WITH moved AS (
    UPDATE procrastinate_jobs
       SET queue_name = %(queue)s, scheduled_at = coalesce(%(at)s::timestamptz, scheduled_at),
           priority = CASE WHEN queue_name = %(queue)s THEN greatest(priority, %(priority)s) ELSE %(priority)s END
     WHERE queueing_lock = %(lock)s AND status = 'todo'
 RETURNING id
)
SELECT pg_notify('procrastinate_queue_v1#' || %(queue)s,
                 json_build_object('type', 'job_inserted', 'job_id', id)::text)
  FROM moved
