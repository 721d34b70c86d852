-- Ends all sessions of a leader that has given no sign of life for some time.
-- One that is left could hold the lock, or a row that the next leader needs.
-- If the leader was this process, it has lost the session with the lock, which is ended at once.
SELECT
    lead.leader,
    pg_terminate_backend(session.pid) AS is_ended
FROM tokens_schedulerlead AS lead
INNER JOIN pg_stat_activity AS session ON lead.leader = session.application_name
WHERE
    session.datname = current_database()
    AND session.pid <> pg_backend_pid()
    AND lead.leader LIKE 'aa-%%'
    AND (
        lead.seen_at < clock_timestamp() - %(silence)s
        OR (
            lead.leader = current_setting('application_name')
            AND session.pid IN (SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND granted)
        )
    )
