-- Deletes a batch of the queue's jobs that ended before a moment, with their events.
-- Every change of a job's status writes an event, so the newest event tells when the job ended.
DELETE FROM procrastinate_jobs
WHERE id IN (
    SELECT job.id
    FROM procrastinate_jobs AS job
    WHERE
        job.status IN ('succeeded', 'failed', 'cancelled', 'aborted')
        AND NOT EXISTS (
            SELECT FROM procrastinate_events AS event
            WHERE event.job_id = job.id AND event.at > %(before)s
        )
    LIMIT %(batch_size)s
)
