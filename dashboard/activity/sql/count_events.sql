-- Counts the events of these types in these teams in a time, each pair of team and type up to a limit.
SELECT wanted.type, sum(counted.number)::bigint AS number
  FROM unnest(%(teams)s::uuid[]) team (id)
 CROSS JOIN unnest(%(types)s::text[]) wanted (type)
 CROSS JOIN LATERAL (
    SELECT count(*) AS number
      FROM (
        SELECT 1
          FROM tokens_event event
         WHERE event.team_id = team.id
           AND event.type = wanted.type
           AND (%(connection)s::uuid IS NULL OR event.connection_id = %(connection)s)
           AND event.created_at >= %(since)s
           AND (event.created_at, event.id) < (%(before)s, %(before_id)s::uuid)
         LIMIT %(limit)s
      ) AS matching
 ) counted
 GROUP BY wanted.type
