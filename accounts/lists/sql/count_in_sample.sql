-- Counts, in a sample of the accounts, how many meet each filter on content. A filter that is NULL is met by none.
-- A page of the table has 8,192 bytes. REPEATABLE takes the same pages each time.
SELECT count(*),
       count(*) FILTER (WHERE metadata @> %(metadata)s::jsonb),
       count(*) FILTER (WHERE EXISTS (
           -- A key whose value is null must be absent.
           SELECT FROM unnest(%(labels)s::jsonb[]) AS wanted
            WHERE labels @> jsonb_strip_nulls(wanted)
              AND NOT labels ?| ARRAY(SELECT key FROM jsonb_each(wanted) WHERE value = 'null')
       )),
       count(*) FILTER (WHERE lower(name || chr(10) || amazon_account_id) LIKE lower(%(search)s::text))
  FROM user_accounts
       TABLESAMPLE SYSTEM (
           least(100, 100.0 * %(pages)s * 8192 / greatest(1, pg_relation_size('user_accounts')))
       ) REPEATABLE (1)
