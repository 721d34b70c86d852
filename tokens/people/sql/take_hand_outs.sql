-- Takes a number of access tokens from what an API key may ask for, or none of them if they are too many.
-- The generic cell rate algorithm: each token moves the clock of the key forward by the pause. The clock may be ahead
-- of the time by what is allowed. Answers with whether they were taken, and how many seconds the clock is ahead.
WITH taken AS (
    UPDATE tokens_apikey
    SET hand_out_clock = greatest(hand_out_clock, clock_timestamp()) + %(pause)s::interval * %(number)s
    WHERE
        id = %(key)s
        AND greatest(hand_out_clock, clock_timestamp()) + %(pause)s::interval * %(number)s
        <= clock_timestamp() + %(allowed)s::interval
    RETURNING hand_out_clock
),

clock AS (
    SELECT
        taken.hand_out_clock IS NOT NULL AS is_taken,
        coalesce(taken.hand_out_clock, api_key.hand_out_clock, clock_timestamp()) AS ahead_until
    FROM tokens_apikey AS api_key
    LEFT JOIN taken ON true
    WHERE api_key.id = %(key)s
)

SELECT
    is_taken,
    greatest(extract(EPOCH FROM ahead_until - clock_timestamp()), 0) AS seconds_ahead
FROM clock;
