-- Counts for each of these days the syncs that found nothing new and the refreshes that succeeded, up to a limit.
-- Without teams the connections of all teams count.
SELECT day.number, syncs.number AS syncs, refreshes.number AS refreshes
  FROM unnest(%(begins)s::timestamptz[], %(ends)s::timestamptz[]) WITH ORDINALITY day (begins_at, ends_at, number)
 CROSS JOIN LATERAL (
    SELECT count(*) AS number
      FROM (
        SELECT 1
          FROM accounts_syncrun run
         WHERE run.created_at >= day.begins_at
           AND run.created_at < day.ends_at
           AND run.state = 'succeeded'
           AND run.created + run.changed + run.gone = 0
           AND (%(connection)s::uuid IS NULL OR run.connection_id = %(connection)s)
           AND (%(teams)s::uuid[] IS NULL
                OR run.connection_id IN (SELECT id FROM tokens_connection WHERE team_id = ANY(%(teams)s)))
         LIMIT %(limit)s
      ) AS matching
 ) syncs
 CROSS JOIN LATERAL (
    SELECT count(*) AS number
      FROM (
        SELECT 1
          FROM tokens_tokenrefresh refresh
         WHERE refresh.started_at >= day.begins_at
           AND refresh.started_at < day.ends_at
           AND refresh.outcome = 'succeeded'
           AND (%(connection)s::uuid IS NULL OR refresh.connection_id = %(connection)s)
           AND (%(teams)s::uuid[] IS NULL
                OR refresh.connection_id IN (SELECT id FROM tokens_connection WHERE team_id = ANY(%(teams)s)))
         LIMIT %(limit)s
      ) AS matching
 ) refreshes
 ORDER BY day.number
