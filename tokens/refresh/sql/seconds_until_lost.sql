-- Returns the seconds until the first lease of a process that seems to have died runs out.
-- A living process renews its leases in time. A lease that is nearer to its end belongs to a dead one.
SELECT extract(EPOCH FROM min(next_refresh_at) - clock_timestamp())::float8
FROM tokens_connection
WHERE
    state = 'active'
    AND client_id = %(client_id)s
    AND lease_id IS NOT NULL
    AND next_refresh_at < clock_timestamp() + make_interval(secs => %(overdue_below_seconds)s)
