-- Prolongs the leases that a process still holds.
-- Rows are locked in the order of their ids, as every statement does that locks several. A row that is locked by
-- somebody else is skipped: nobody can take its lease meanwhile, and the next renewal finds it.
WITH held AS (
    SELECT connection.id
    FROM tokens_connection AS connection
    INNER JOIN
        unnest(%(connection_ids)s::uuid[], %(refresh_ids)s::uuid[]) AS lease (connection_id, refresh_id)
        ON connection.id = lease.connection_id AND connection.lease_id = lease.refresh_id
    ORDER BY connection.id
    FOR UPDATE OF connection SKIP LOCKED
)

UPDATE tokens_connection AS renewed
SET next_refresh_at = greatest(next_refresh_at, clock_timestamp() + make_interval(secs => %(lease_seconds)s))
FROM held
WHERE renewed.id = held.id
