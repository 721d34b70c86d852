-- Gives an entry of the cache more time, unless it has expired.
UPDATE cache_entries SET expires = coalesce(clock_timestamp() + make_interval(secs => %(life)s::float8), '9999-01-01')
WHERE cache_key = %(key)s AND expires > clock_timestamp();
