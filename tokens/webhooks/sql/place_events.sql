-- Numbers the events that have no number, in the order in which they were written, and makes their deliveries.
-- A webhook that is deleted meanwhile gets none. Returns how many events were placed.
WITH waiting AS MATERIALIZED (
    SELECT id, written
      FROM tokens_event
     WHERE number IS NULL
     ORDER BY written
     LIMIT %(batch_size)s
), numbers AS MATERIALIZED (
    SELECT id, nextval('tokens_event_order') AS number FROM (SELECT id FROM waiting ORDER BY written) ordered
), placed AS (
    UPDATE tokens_event event
       SET number = numbers.number
      FROM numbers
     WHERE event.id = numbers.id
    RETURNING event.id, event.team_id, event.type, event.object_id, event.number
), webhook AS MATERIALIZED (
    SELECT * FROM tokens_webhook WHERE is_active FOR KEY SHARE
), sent AS (
    INSERT INTO tokens_webhookdelivery (id, webhook_id, event_id, object_id, place, state)
    SELECT gen_random_uuid(), webhook.id AS webhook_id, placed.id AS event_id, placed.object_id, placed.number,
           'waiting'
      FROM placed
      JOIN webhook ON webhook.team_id = placed.team_id AND webhook.events && ARRAY['*', placed.type]::varchar[]
     WHERE placed.type <> 'webhook.test'
)
SELECT count(*) FROM placed
