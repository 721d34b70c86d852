-- Counts, in a sample of the connections, how many meet each filter on content. A filter that is NULL is met by none.
-- A page of the table has 8,192 bytes. REPEATABLE takes the same pages each time.
SELECT count(*),
       count(*) FILTER (WHERE EXISTS (
           -- A key whose value is null must be absent.
           SELECT FROM unnest(%(labels)s::jsonb[]) AS wanted
            WHERE labels @> jsonb_strip_nulls(wanted)
              AND NOT labels ?| ARRAY(SELECT key FROM jsonb_each(wanted) WHERE value = 'null')
       )),
       count(*) FILTER (WHERE search_text LIKE lower(%(search)s::text))
  FROM tokens_connection
       TABLESAMPLE SYSTEM (
           least(100, 100.0 * %(pages)s * 8192 / greatest(1, pg_relation_size('tokens_connection')))
       ) REPEATABLE (1)
