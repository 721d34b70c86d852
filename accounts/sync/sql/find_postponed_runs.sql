-- Lists which of these runs are postponed, until when, and in which regions.
-- Relies on the job of a waiting run having the queueing lock "task:run".
SELECT run.id,
       job.scheduled_at,
       ARRAY(
           SELECT DISTINCT source ->> 'region'
             FROM jsonb_array_elements(run.sources) AS source
            WHERE source ->> 'region' <> '' AND source -> 'errors' @> '[{"kind": "postponed"}]'
            ORDER BY 1
       ) AS regions
  FROM accounts_syncrun AS run
  JOIN procrastinate_jobs AS job
    ON job.queueing_lock = %(task)s || ':' || run.id AND job.status = 'todo' AND job.scheduled_at > now()
 WHERE run.id = ANY(%(runs)s) AND run.state = 'waiting' AND run.postponed > 0
