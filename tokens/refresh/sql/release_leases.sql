-- Gives back the leases that a process still holds, so that another process takes them at once.
-- Rows are locked in the order of their ids, as every statement does that locks several. A row that is locked by
-- somebody else is skipped: its lease runs out soon.
WITH held AS (
    SELECT
        connection.id,
        lease.refresh_id
    FROM tokens_connection AS connection
    INNER JOIN
        unnest(%(connection_ids)s::uuid[], %(refresh_ids)s::uuid[]) AS lease (connection_id, refresh_id)
        ON connection.id = lease.connection_id AND connection.lease_id = lease.refresh_id
    ORDER BY connection.id
    FOR UPDATE OF connection SKIP LOCKED
),

released AS (
    UPDATE tokens_connection AS connection
    SET lease_id = NULL, next_refresh_at = clock_timestamp()
    FROM held
    WHERE connection.id = held.id
    RETURNING held.refresh_id
)

UPDATE tokens_tokenrefresh AS refresh
SET
    outcome = 'lost',
    finished_at = greatest(clock_timestamp(), refresh.started_at),
    error = 'The process that refreshed was stopped.'
FROM released
WHERE refresh.id = released.refresh_id AND refresh.outcome IS NULL
