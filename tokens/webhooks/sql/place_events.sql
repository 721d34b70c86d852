-- Numbers the events that have no number, in the order in which they were written.
WITH waiting AS MATERIALIZED (
    SELECT id, written
      FROM tokens_event
     WHERE number IS NULL
     ORDER BY written
     LIMIT %(batch_size)s
), placed AS MATERIALIZED (
    SELECT id, nextval('tokens_event_order') AS number FROM (SELECT id FROM waiting ORDER BY written) ordered
)
UPDATE tokens_event event
   SET number = placed.number
  FROM placed
 WHERE event.id = placed.id
