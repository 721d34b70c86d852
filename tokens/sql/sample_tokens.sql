-- Reads the refresh tokens of the newest and of the oldest connections, which a missing key would concern first.
(
    SELECT refresh_token
    FROM tokens_connection
    WHERE refresh_token IS NOT NULL
    ORDER BY id DESC
    LIMIT 50
)
UNION ALL
(
    SELECT refresh_token
    FROM tokens_connection
    WHERE refresh_token IS NOT NULL
    ORDER BY id
    LIMIT 50
)
