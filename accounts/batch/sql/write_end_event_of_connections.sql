-- Writes the event of the end of a batch, for each team that had connections in it, with their results.
INSERT INTO tokens_event (id, type, team_id, object_id, created_at, data)
SELECT gen_random_uuid(), 'batch.ended', team.id, %(batch)s, clock_timestamp(),
       jsonb_build_object(
           'team', jsonb_build_object('id', team.id, 'name', team.name),
           'batch', jsonb_build_object(
               'id', %(batch)s::uuid, 'operation', %(operation)s::text, 'state', %(state)s::text,
               'succeeded', counts.succeeded, 'failed', counts.failed, 'skipped', counts.skipped))
  FROM (SELECT item.team_id,
               count(*) FILTER (WHERE item.state = 'succeeded') AS succeeded,
               count(*) FILTER (WHERE item.state = 'failed') AS failed,
               count(*) FILTER (WHERE item.state = 'skipped') AS skipped
          FROM accounts_connectionbatchitem item
         WHERE item.batch_id = %(batch)s
         GROUP BY item.team_id) counts
  JOIN tokens_team team ON team.id = counts.team_id
