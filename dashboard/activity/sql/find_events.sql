-- Returns the newest events of these types in these teams, older than a key, newest first.
-- Each pair of team and type is read from its own range of the index event_by_team_and_type, and no further than the
-- limit. So a team with few events costs as little as a team with a million.
SELECT event.id, event.type, event.object_id, event.created_at, event.data
  FROM unnest(%(teams)s::uuid[]) team (id)
 CROSS JOIN unnest(%(types)s::text[]) wanted (type)
 CROSS JOIN LATERAL (
    SELECT found.id, found.type, found.object_id, found.created_at, found.data
      FROM tokens_event found
     WHERE found.team_id = team.id
       AND found.type = wanted.type
       AND found.created_at >= %(since)s
       AND (found.created_at, found.id) < (%(before)s, %(before_id)s::uuid)
     ORDER BY found.created_at DESC, found.id DESC
     LIMIT %(limit)s
 ) event
 ORDER BY event.created_at DESC, event.id DESC
 LIMIT %(limit)s
