-- Writes an entry of the cache, whether it is new or known.
INSERT INTO cache_entries (cache_key, value, expires)
VALUES (%(key)s, %(value)s, coalesce(clock_timestamp() + make_interval(secs => %(life)s::float8), '9999-01-01'))
ON CONFLICT (cache_key) DO UPDATE SET value = excluded.value, expires = excluded.expires;
