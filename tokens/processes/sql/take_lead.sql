-- Takes the lock of the leader and the next term in one statement, so that nobody holds the lock with another's term.
WITH lead_lock AS MATERIALIZED (
    SELECT pg_try_advisory_lock(%(lock)s) AS is_ours
)

INSERT INTO tokens_schedulerlead AS known (id, term, leader, seen_at)
SELECT
    1,
    1,
    current_setting('application_name'),
    clock_timestamp()
FROM lead_lock
WHERE lead_lock.is_ours
ON CONFLICT (id) DO UPDATE
SET term = known.term + 1, leader = excluded.leader, seen_at = excluded.seen_at
RETURNING term
