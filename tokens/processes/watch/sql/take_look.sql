-- Takes the next look for this process, unless another process has looked within the pause.
INSERT INTO tokens_watch AS watch (id, looked_at)
VALUES (1, clock_timestamp())
ON CONFLICT (id) DO UPDATE
SET looked_at = clock_timestamp()
WHERE watch.looked_at < clock_timestamp() - make_interval(secs => %(pause)s)
RETURNING id
