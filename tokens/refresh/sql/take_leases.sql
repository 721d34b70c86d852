-- Takes the lease of one connection, or of connections that are due, and opens a refresh for each.
-- A refresh that a dead process left open is closed as lost first, because a connection may have one open refresh.
-- The join on closed makes sure of this order. SKIP LOCKED lets processes share the work without waiting.
WITH due AS (
    SELECT id
    FROM tokens_connection
    WHERE
        %(connection_id)s::uuid IS NULL
        AND state = 'active'
        AND client_id = %(client_id)s
        AND next_refresh_at <= %(before)s
        AND (last_error = '') = %(healthy)s
    ORDER BY next_refresh_at
    LIMIT %(batch_size)s
    FOR UPDATE SKIP LOCKED
),

named AS (
    SELECT id
    FROM tokens_connection
    WHERE
        id = %(connection_id)s
        AND state = 'active'
        AND client_id = %(client_id)s
        AND refresh_count = coalesce(%(seen)s, refresh_count)
        AND (lease_id IS NULL OR next_refresh_at <= clock_timestamp())
    FOR UPDATE SKIP LOCKED
),

chosen AS (
    SELECT id FROM due
    UNION ALL
    SELECT id FROM named
),

leased AS (
    UPDATE tokens_connection AS connection
    SET
        next_refresh_at = clock_timestamp() + make_interval(secs => %(lease_seconds)s),
        lease_id = gen_random_uuid()
    FROM chosen
    WHERE connection.id = chosen.id
    RETURNING
        connection.id,
        connection.lease_id,
        connection.grant_version,
        connection.grant_refusals,
        connection.refresh_token
),

lost AS (
    UPDATE tokens_tokenrefresh AS refresh
    SET
        outcome = 'lost',
        finished_at = greatest(clock_timestamp(), refresh.started_at),
        error = 'The process that refreshed died or was cut off.'
    FROM leased
    WHERE refresh.connection_id = leased.id AND refresh.outcome IS NULL
    RETURNING refresh.id
),

opened AS (
    INSERT INTO tokens_tokenrefresh
        (id, connection_id, grant_version, trigger, tries, started_at, error_code, error, request_id)
    SELECT
        leased.lease_id,
        leased.id,
        leased.grant_version,
        %(trigger)s,
        0,
        clock_timestamp(),
        '',
        '',
        ''
    FROM leased
    CROSS JOIN (SELECT count(*) FROM lost) AS closed
)

SELECT lease_id, id, grant_version, grant_refusals, refresh_token
FROM leased
