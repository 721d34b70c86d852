-- Counts the tasks that could begin now, and reads since when the oldest waits if that is longer than the patience.
WITH waiting AS (
    SELECT
        coalesce(
            job.scheduled_at,
            (
                SELECT max(event.at)
                FROM procrastinate_events AS event
                WHERE event.job_id = job.id AND event.type IN ('deferred', 'deferred_for_retry', 'retried')
            )
        ) AS since
    FROM procrastinate_jobs AS job
    WHERE job.status = 'todo' AND (job.scheduled_at IS NULL OR job.scheduled_at <= clock_timestamp())
)

SELECT
    count(*) AS number,
    min(since) FILTER (WHERE since < clock_timestamp() - make_interval(secs => %(patience)s)) AS oldest
FROM waiting
