-- Counts the events of one type after a key, down to the next event of the other types or to a time; tells also where.
WITH boundary AS (
    SELECT greatest(%(ends_at)s::timestamptz, max(event.created_at)) AS ends_at
      FROM unnest(%(teams)s::uuid[]) team (id)
     CROSS JOIN unnest(%(others)s::text[]) wanted (type)
     CROSS JOIN LATERAL (
        SELECT found.created_at
          FROM tokens_event found
         WHERE found.team_id = team.id
           AND found.type = wanted.type
           AND (%(connection)s::uuid IS NULL OR found.connection_id = %(connection)s)
           AND (found.created_at, found.id) < (%(before)s, %(before_id)s::uuid)
         ORDER BY found.created_at DESC, found.id DESC
         LIMIT 1
     ) event
)
SELECT boundary.ends_at, counted.number
  FROM boundary
 CROSS JOIN LATERAL (
    SELECT count(*) AS number
      FROM (
        SELECT 1
          FROM unnest(%(teams)s::uuid[]) team (id)
         CROSS JOIN LATERAL (
            SELECT 1
              FROM tokens_event event
             WHERE event.team_id = team.id
               AND event.type = %(type)s
               AND (%(connection)s::uuid IS NULL OR event.connection_id = %(connection)s)
               AND event.created_at > boundary.ends_at
               AND (event.created_at, event.id) < (%(before)s, %(before_id)s::uuid)
             LIMIT %(limit)s
         ) AS one
         LIMIT %(limit)s
      ) AS matching
 ) counted
