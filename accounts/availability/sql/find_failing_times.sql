-- Returns the times in which Login with Amazon failed refreshes, of whichever connection, as separate ranges.
-- A failure counts until shortly after the next refresh that began and got a token, and for a limited time in any case.
-- A check that meets failures begins few refreshes, so most connections that wait for it have no failure of their own.
SELECT
    lower(failing.part) AS began_at,
    upper(failing.part) AS ended_at
FROM (
    SELECT
        unnest(
            range_agg(
                tstzrange(
                    failed.started_at,
                    least(
                        failed.finished_at + make_interval(secs => %(explains)s),
                        following.finished_at + make_interval(secs => %(recovery)s)
                    )
                )
            )
        ) AS part
    FROM tokens_tokenrefresh AS failed
    LEFT JOIN LATERAL (
        SELECT succeeded.finished_at
        FROM tokens_tokenrefresh AS succeeded
        WHERE
            succeeded.outcome = 'succeeded'
            AND succeeded.started_at >= failed.started_at
            -- A later one changes nothing, and is looked for among all failures of a long outage.
            AND succeeded.started_at < failed.finished_at + make_interval(secs => %(explains)s)
        ORDER BY succeeded.started_at
        LIMIT 1
    ) AS following ON TRUE
    WHERE
        failed.outcome IN ('transient', 'throttled', 'postponed')
        AND failed.started_at >= %(since)s
        AND failed.started_at < %(until)s
) AS failing
ORDER BY failing.part
