-- Gives the items of connections the state of their run, and ends those whose run has ended.
-- A running run can wait again. When a worker dies, its run is closed as failed and the next run is requested in the
-- same transaction: the items get that run.
WITH followed AS (
    SELECT item.connection_id, coalesce(next.id, run.id) AS run_id, coalesce(next.state, run.state) AS state, run.error,
           run.cause
      FROM accounts_connectionbatchitem item
      JOIN accounts_syncrun run ON run.id = item.run_id
      LEFT JOIN LATERAL (
          SELECT later.id, later.state
            FROM accounts_syncrun later
           WHERE run.state = 'failed' AND later.connection_id = run.connection_id
             AND later.state IN ('waiting', 'running') AND later.created_at >= run.created_at
           ORDER BY later.created_at
           LIMIT 1
      ) next ON true
     WHERE item.batch_id = %(batch)s AND item.state IN ('waiting', 'running')
)
UPDATE accounts_connectionbatchitem item
   SET run_id = followed.run_id,
       state = CASE followed.state WHEN 'partial' THEN 'failed' ELSE followed.state END,
       message = CASE WHEN followed.state = 'succeeded' THEN 'Synced.'
                      WHEN followed.state IN ('partial', 'failed')
                          THEN coalesce(nullif(followed.error, ''), 'The sync failed.')
                      ELSE '' END,
       cause = CASE WHEN followed.state IN ('partial', 'failed') THEN followed.cause ELSE '' END
  FROM followed
 WHERE item.batch_id = %(batch)s AND item.connection_id = followed.connection_id
