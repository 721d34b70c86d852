-- Returns every three characters that follow each other in a text, for the index account_search_trigrams.
-- The embedded PostgreSQL has no pg_trgm; this is the part of it that a search anywhere in a text needs. The index
-- stores the results, so it must be rebuilt when this function changes.
CREATE OR REPLACE FUNCTION account_trigrams(content text) RETURNS text[]
IMMUTABLE PARALLEL SAFE STRICT LANGUAGE sql AS $$
    SELECT array(SELECT DISTINCT substr(content, i, 3) FROM generate_series(1, length(content) - 2) i)
$$
