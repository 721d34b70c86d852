-- Reads entries of the cache that have not expired.
SELECT cache_key, value FROM cache_entries
WHERE cache_key = ANY(%(keys)s) AND expires > clock_timestamp();
