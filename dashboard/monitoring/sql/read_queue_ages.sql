-- Reads for each queue since how many seconds the oldest job that could begin waits.
WITH waiting AS (
    SELECT
        queue_name,
        min(id) FILTER (WHERE scheduled_at IS NULL) AS first_job,
        min(scheduled_at) AS first_due
    FROM procrastinate_jobs
    WHERE status = 'todo' AND (scheduled_at IS NULL OR scheduled_at <= clock_timestamp())
    GROUP BY queue_name
)

SELECT
    waiting.queue_name,
    extract(
        EPOCH FROM clock_timestamp() - least(
            waiting.first_due,
            (
                SELECT max(event.at)
                FROM procrastinate_events AS event
                WHERE
                    event.job_id = waiting.first_job
                    AND event.type IN ('deferred', 'deferred_for_retry', 'retried')
            )
        )
    ) AS seconds
FROM waiting
