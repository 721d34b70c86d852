-- Takes one turn of each key; answers with the longest time in seconds that a key is ahead of its limit.
-- The generic cell rate algorithm: each turn moves the clock of its key forward by the pause. A clock may be ahead of
-- the time by as many pauses as the burst has turns. The caller takes all turns back if the answer is more than zero.
WITH taken AS (
    INSERT INTO tokens_signinpace AS pace (key, next_at, pause)
    SELECT wanted.key, clock_timestamp() + wanted.pause, wanted.pause
    FROM unnest(%(keys)s::text[], %(pauses)s::interval[]) AS wanted (key, pause)
    -- In one order everywhere, so that two requests never wait for each other.
    ORDER BY wanted.key
    ON CONFLICT (key) DO UPDATE SET
        next_at = greatest(pace.next_at, clock_timestamp()) + excluded.pause,
        pause = excluded.pause
    RETURNING pace.key, pace.next_at
)

SELECT max(extract(EPOCH FROM taken.next_at - clock_timestamp() - wanted.allowed)) AS too_early
FROM taken
INNER JOIN unnest(%(keys)s::text[], %(allowed)s::interval[]) AS wanted (key, allowed) ON wanted.key = taken.key;
