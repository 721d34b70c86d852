-- Tells whether a login may still use its slot: neither the rate limit nor the login was paused in the meantime.
-- A probe may go out although the circuit is open. All times are read from PostgreSQL's clock.
SELECT NOT EXISTS (
    SELECT
    FROM amazon_ads_ratelimit AS rate_limit
    LEFT JOIN amazon_ads_parkedlogin AS parked
        ON rate_limit.id = parked.rate_limit_id AND parked.subject = %(subject)s
    WHERE
        rate_limit.region = %(region)s
        AND rate_limit.family = %(family)s
        AND greatest(
            rate_limit.blocked_until,
            parked.until,
            CASE WHEN NOT %(is_probe)s THEN rate_limit.circuit_open_until END
        ) > clock_timestamp()
)
