-- Reserves the next slot of a rate limit, or returns no row when something is in the way.
-- A function, so that PostgreSQL parses and plans the statement once in a session rather than with each request.
-- clock_timestamp() is read again after the wait for the row's lock; now() would be from before.
CREATE OR REPLACE FUNCTION amazon_ads_reserve(
    its_region text, its_family text, its_subject text, wait_seconds float8,
    ceiling float8, growth float8, probe_every interval, is_probe boolean
) RETURNS TABLE (
    seconds float8, until timestamptz, slot_interval float8, is_ailing boolean, slowed_at timestamptz
) LANGUAGE plpgsql AS $$
BEGIN
    -- A crash of the database may lose the latest slots; a flush to disk for each request would cost more.
    PERFORM set_config('synchronous_commit', 'off', true);
    RETURN QUERY
    UPDATE amazon_ads_ratelimit AS row
    SET slot_at = greatest(
            row.slot_at + make_interval(secs => 1 / row.pace),
            clock_timestamp() - make_interval(secs => (row.burst - 1) / row.pace),
            row.blocked_until
        ),
        -- While no limit was met, each caller that has to wait makes the pace grow.
        pace = CASE
            WHEN row.growing AND row.slot_at + make_interval(secs => 1 / row.pace) > clock_timestamp()
                THEN least(row.pace + growth, ceiling)
            ELSE row.pace END,
        used_at = clock_timestamp(),
        requests_since_slowed = row.requests_since_slowed + 1,
        -- Of each pause, what is longer than a second and than the time between two slots.
        idle_since_slowed = row.idle_since_slowed + greatest(0, extract(epoch FROM
            greatest(
                row.slot_at + make_interval(secs => 1 / row.pace), row.blocked_until, clock_timestamp()
            ) - greatest(row.slot_at, row.used_at)
        ) - greatest(1, 1 / row.pace)),
        requests_since_probed = row.requests_since_probed + 1,
        other_login_at = CASE
            WHEN row.last_subject NOT IN ('', its_subject) THEN clock_timestamp()
            ELSE row.other_login_at END,
        last_subject = its_subject,
        requests = row.requests + 1,
        waited_seconds = row.waited_seconds + extract(epoch FROM greatest(
            row.slot_at + make_interval(secs => 1 / row.pace) - clock_timestamp(),
            row.blocked_until - clock_timestamp(),
            interval '0'
        ))
    WHERE row.region = its_region AND row.family = its_family
        AND greatest(row.slot_at + make_interval(secs => 1 / row.pace), row.blocked_until)
            <= clock_timestamp() + make_interval(secs => wait_seconds)
        AND (row.circuit_open_until IS NULL OR is_probe)
        AND row.hour = date_trunc('hour', clock_timestamp(), 'UTC')
        AND row.used_at > clock_timestamp() - interval '1 day'
        AND (row.growing OR row.probed_at > clock_timestamp() - probe_every)
        AND row.pace <= ceiling
        AND NOT EXISTS (
            SELECT FROM amazon_ads_parkedlogin AS parked
            WHERE parked.rate_limit_id = row.id AND parked.subject = its_subject
                AND parked.until > clock_timestamp()
        )
    RETURNING
        greatest(0, extract(epoch FROM row.slot_at - clock_timestamp()))::float8,
        row.slot_at,
        1 / row.pace,
        row.failures_in_a_row > 0 OR row.circuit_open_until IS NOT NULL,
        row.slowed_at;
END
$$
