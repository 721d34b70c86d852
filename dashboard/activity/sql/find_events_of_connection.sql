-- Returns the newest events of these types about a connection or its accounts, older than a key, newest first.
SELECT event.id, event.type, event.object_id, event.created_at, event.data
  FROM unnest(%(types)s::text[]) wanted (type)
 CROSS JOIN LATERAL (
    SELECT found.id, found.type, found.object_id, found.created_at, found.data
      FROM tokens_event found
     WHERE found.connection_id = %(connection)s
       AND found.type = wanted.type
       AND found.team_id = ANY(%(teams)s::uuid[])
       AND found.created_at >= %(since)s
       AND (found.created_at, found.id) < (%(before)s, %(before_id)s::uuid)
     ORDER BY found.created_at DESC, found.id DESC
     LIMIT %(limit)s
 ) event
 ORDER BY event.created_at DESC, event.id DESC
 LIMIT %(limit)s
