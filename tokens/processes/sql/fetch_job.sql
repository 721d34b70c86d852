-- Takes the next job of these queues whose task this worker knows.
-- It is procrastinate_fetch_job_v2 of Procrastinate with the condition on the task; a test compares them.
WITH candidate AS (
    SELECT jobs.*
    FROM procrastinate_jobs AS jobs
    WHERE
        NOT EXISTS (
            SELECT 1
            FROM procrastinate_jobs AS other_jobs
            WHERE
                jobs.lock IS NOT NULL
                AND other_jobs.lock = jobs.lock
                AND (
                    other_jobs.status = 'doing'
                    OR (
                        other_jobs.status = 'todo'
                        AND (
                            other_jobs.priority > jobs.priority
                            OR (
                                other_jobs.priority = jobs.priority
                                AND other_jobs.id < jobs.id
                            )
                        )
                    )
                )
        )
        AND jobs.status = 'todo'
        AND jobs.task_name = any(%(known_tasks)s::varchar[])
        AND (%(queues)s::varchar[] IS NULL OR jobs.queue_name = any(%(queues)s::varchar[]))
        AND (jobs.scheduled_at IS NULL OR jobs.scheduled_at <= now())
    ORDER BY jobs.priority DESC, jobs.id ASC
    LIMIT 1
    FOR UPDATE OF jobs SKIP LOCKED
)

UPDATE procrastinate_jobs
SET status = 'doing', worker_id = %(worker_id)s
FROM candidate
WHERE procrastinate_jobs.id = candidate.id
RETURNING
    procrastinate_jobs.id,
    procrastinate_jobs.status,
    procrastinate_jobs.task_name,
    procrastinate_jobs.priority,
    procrastinate_jobs.lock,
    procrastinate_jobs.queueing_lock,
    procrastinate_jobs.args,
    procrastinate_jobs.scheduled_at,
    procrastinate_jobs.queue_name,
    procrastinate_jobs.attempts,
    procrastinate_jobs.worker_id,
    (
        SELECT request.request_id
        FROM job_requests AS request
        WHERE request.job_id = procrastinate_jobs.id
    ) AS request_id
