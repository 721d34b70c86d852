-- Removes access to accounts that the lists which were read to their end do not show any more.
-- An access row loses the scopes that do not show its account. A row that loses its last scope is deleted. If
-- one run would delete more than half of the connection's rows, it deletes only rows that the previous run
-- had marked, and marks the other rows for the next run. Returns the kind of change ('removed', 'marked',
-- 'reduced'), the scope, a count and, for 'reduced', the accounts.
WITH suspect AS MATERIALIZED (
    SELECT access.*, account.amazon_account_id
      FROM accounts_accountaccess access
     CROSS JOIN LATERAL (
           SELECT present.amazon_account_id FROM user_accounts present
            WHERE present.id = access.account_id LIMIT 1) account
     WHERE access.connection_id = %(connection)s
       AND access.seen_in && %(complete_scopes)s::text[]
       -- Skips the accounts that every earlier list still shows, which are nearly all.
       AND NOT EXISTS (SELECT FROM accounts_staged_of(%(run)s) staged
                        WHERE staged.amazon_account_id = account.amazon_account_id
                          AND staged.seen_in @> access.seen_in)
), shown AS (
    SELECT staged.amazon_account_id, array_agg(scope) AS scopes
      FROM accounts_staged_of(%(run)s) staged
     CROSS JOIN LATERAL unnest(staged.seen_in) scope
     WHERE staged.amazon_account_id IN (SELECT amazon_account_id FROM suspect)
     GROUP BY staged.amazon_account_id
), missed AS MATERIALIZED (
    SELECT suspect.*, ARRAY(SELECT scope FROM unnest(suspect.seen_in) scope
                              WHERE NOT (scope = ANY(%(complete_scopes)s::text[])) OR scope = ANY(shown.scopes)
                              ORDER BY scope) AS remains
      FROM suspect
      LEFT JOIN shown USING (amazon_account_id)
), unseen AS MATERIALIZED (
    SELECT * FROM missed WHERE remains = '{}'
), verdict AS MATERIALIZED (
    SELECT 2 * (SELECT count(*) FROM unseen)
           > (SELECT count(*) FROM accounts_accountaccess
               WHERE connection_id = %(connection)s AND since < %(started_at)s) AS is_most
), reduced AS (
    UPDATE accounts_accountaccess access
       SET seen_in = missed.remains
      FROM missed
     WHERE access.id = missed.id AND missed.remains <> '{}' AND missed.remains <> missed.seen_in
    RETURNING access.account_id
), removed AS (
    DELETE FROM accounts_accountaccess
     WHERE id = ANY((SELECT array_agg(unseen.id) FROM unseen, verdict
                       WHERE NOT verdict.is_most OR unseen.missing_since IS NOT NULL)::bigint[])
    RETURNING seen_in[1] AS scope
), marked AS (
    UPDATE accounts_accountaccess
       SET missing_since = statement_timestamp()
     WHERE id = ANY((SELECT array_agg(unseen.id) FROM unseen, verdict
                       WHERE verdict.is_most AND unseen.missing_since IS NULL)::bigint[])
    RETURNING seen_in[1] AS scope
)
SELECT 'removed', scope, count(*), NULL::uuid[] FROM removed GROUP BY scope
UNION ALL
SELECT 'marked', scope, count(*), NULL FROM marked GROUP BY scope
UNION ALL
SELECT 'reduced', '', count(*), array_agg(account_id) FROM reduced
