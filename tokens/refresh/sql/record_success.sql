-- Stores a new access token if the lease and the grant are still the same, and closes the refresh.
-- Otherwise the connection stays as it is, and the refresh is closed as superseded. A refresh that another process
-- has closed as lost gets only the number of its calls.
-- The column left_fresh is the model's field token_valid_after.
WITH renewed AS (
    UPDATE tokens_connection
    SET
        access_token = %(access_token)s,
        refresh_token = coalesce(%(refresh_token)s, refresh_token),
        expires_at = clock_timestamp() + make_interval(secs => %(life)s),
        next_refresh_at = clock_timestamp() + make_interval(secs => %(due_in)s),
        lease_id = NULL,
        refresh_count = refresh_count + 1,
        last_refreshed_at = clock_timestamp(),
        grant_refusals = 0,
        last_error = '',
        last_error_at = NULL
    WHERE id = %(connection_id)s AND lease_id = %(refresh_id)s AND grant_version = %(grant_version)s
    RETURNING expires_at, is_identity_pending
),

closed AS (
    UPDATE tokens_tokenrefresh
    SET
        outcome = coalesce(outcome, CASE WHEN EXISTS (SELECT FROM renewed) THEN 'succeeded' ELSE 'superseded' END),
        finished_at = coalesce(finished_at, greatest(clock_timestamp(), started_at)),
        tries = %(tries)s,
        left_fresh = CASE WHEN outcome IS NULL THEN TRUE ELSE left_fresh END,
        request_id = %(request_id)s,
        new_expires_at = coalesce(new_expires_at, (SELECT expires_at FROM renewed))
    WHERE id = %(refresh_id)s
)

SELECT EXISTS(SELECT FROM renewed), coalesce((SELECT is_identity_pending FROM renewed), FALSE)
