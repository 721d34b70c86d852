-- Lists which of these runs are postponed, since and until when, in which regions, and why.
-- Relies on the job of a waiting run having the queueing lock "task:run".
SELECT run.id,
       coalesce(run.postponed_at, run.created_at) AS since,
       job.scheduled_at AS until,
       ARRAY(
           SELECT DISTINCT source ->> 'region'
             FROM jsonb_array_elements(run.sources) AS source
            WHERE source ->> 'region' <> '' AND source -> 'errors' @> '[{"kind": "postponed"}]'
            ORDER BY 1
       ) AS regions,
       coalesce((
           SELECT string_agg(DISTINCT pause ->> 'message', ' ')
             FROM jsonb_array_elements(run.sources) AS source
            CROSS JOIN LATERAL jsonb_array_elements(source -> 'errors') AS pause
            WHERE pause ->> 'kind' = 'postponed'
       ), run.error) AS reason
  FROM accounts_syncrun AS run
  JOIN procrastinate_jobs AS job
    ON job.queueing_lock = %(task)s || ':' || run.id AND job.status = 'todo' AND job.scheduled_at > now()
 WHERE run.id = ANY(%(runs)s) AND run.state = 'waiting' AND run.postponed > 0
