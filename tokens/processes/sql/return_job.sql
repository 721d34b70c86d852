-- Lets a job wait again, and wakes the workers. Does nothing when the job is no longer this worker's.
WITH returned AS (
    UPDATE procrastinate_jobs
    SET
        status = 'todo',
        attempts = attempts + %(attempts)s,
        scheduled_at = clock_timestamp() + nullif(%(wait_seconds)s, 0) * interval '1 second'
    WHERE
        id = %(job_id)s
        AND status = 'doing'
        -- A worker that seemed dead is forgotten, and its jobs are nobody's until they wait again.
        AND coalesce(worker_id, %(worker_id)s::bigint) IS NOT DISTINCT FROM %(worker_id)s::bigint
    RETURNING id, queue_name
)

SELECT
    pg_notify(
        'procrastinate_queue_v1#' || queue_name,
        json_build_object('type', 'job_inserted', 'job_id', id)::text
    )
FROM returned
