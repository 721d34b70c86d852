-- Deletes the entries of the cache that have expired.
DELETE FROM cache_entries WHERE expires < clock_timestamp();
