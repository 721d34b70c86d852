-- Writes an entry of the cache, unless there is one that has not expired.
INSERT INTO cache_entries AS known (cache_key, value, expires)
VALUES (%(key)s, %(value)s, coalesce(clock_timestamp() + make_interval(secs => %(life)s::float8), '9999-01-01'))
ON CONFLICT (cache_key) DO UPDATE SET value = excluded.value, expires = excluded.expires
WHERE known.expires < clock_timestamp();
