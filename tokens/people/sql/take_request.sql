-- Counts one request of a caller against a limit, unless it is one too many: then it answers with no row.
-- The generic cell rate algorithm: each request moves the clock forward by the pause. The clock may be ahead of the
-- time by what is allowed. Answers with how many seconds the clock is ahead.
INSERT INTO tokens_requestclock AS clock (key, ahead_until)
VALUES (%(key)s, clock_timestamp() + %(pause)s::interval)
ON CONFLICT (key) DO UPDATE SET
    ahead_until = greatest(clock.ahead_until, clock_timestamp()) + %(pause)s::interval
WHERE
    greatest(clock.ahead_until, clock_timestamp()) + %(pause)s::interval
    <= clock_timestamp() + %(allowed)s::interval
RETURNING extract(EPOCH FROM ahead_until - clock_timestamp()) AS seconds_ahead;
