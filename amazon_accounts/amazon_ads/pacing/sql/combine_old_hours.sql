-- Adds a rate limit's old hours to the first hour of their month, and removes them.
-- The caller holds the lock on the rate limit. Sums over all its hours stay the same: the counters of /metrics
-- never fall. Milliseconds are exact in decimals.
WITH removed AS (
    DELETE FROM amazon_ads_ratelimithour
    WHERE
        rate_limit_id = %(rate_limit_id)s
        AND hour < %(kept_since)s
        AND hour <> date_trunc('month', hour, 'UTC')
    RETURNING *
)

INSERT INTO amazon_ads_ratelimithour AS month (
    rate_limit_id, hour, requests, throttled, failures, waited_seconds, pace
)
SELECT
    rate_limit_id,
    date_trunc('month', hour, 'UTC'),
    sum(requests),
    sum(throttled),
    sum(failures),
    sum(waited_seconds::numeric(20, 3)),
    (array_agg(pace ORDER BY hour DESC))[1]
FROM removed
GROUP BY rate_limit_id, date_trunc('month', hour, 'UTC')
ON CONFLICT (rate_limit_id, hour) DO UPDATE SET
    requests = month.requests + excluded.requests,
    throttled = month.throttled + excluded.throttled,
    failures = month.failures + excluded.failures,
    waited_seconds = month.waited_seconds::numeric(20, 3) + excluded.waited_seconds::numeric(20, 3),
    pace = excluded.pace
