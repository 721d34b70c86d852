-- Takes the next call of HEARTBEAT_URL for this process, unless one was made within the pause.
UPDATE tokens_watch
SET called_at = clock_timestamp()
WHERE called_at IS NULL OR called_at < clock_timestamp() - make_interval(secs => %(pause)s)
RETURNING id
