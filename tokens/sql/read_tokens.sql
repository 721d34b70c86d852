-- Reads a batch of stored tokens in the order of their ids, so that a rotation can be interrupted and repeated.
SELECT id, access_token, refresh_token
FROM tokens_connection
WHERE
    (%(after)s::uuid IS NULL OR id > %(after)s)
    AND (access_token IS NOT NULL OR refresh_token IS NOT NULL)
ORDER BY id
LIMIT %(batch_size)s
