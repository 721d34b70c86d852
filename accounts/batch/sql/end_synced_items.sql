-- Ends the items whose run has ended.
-- If the run failed, all its items fail. Otherwise an item fails only if no list that shows its account could be read.
-- Only lists of the same kind as the account's source count.
WITH unread AS MATERIALIZED (
    SELECT run.id AS run_id, listing #>> '{errors,-1,message}' AS message,
           concat_ws(':', listing ->> 'source', listing ->> 'region', listing ->> 'profile_id') AS list
      FROM accounts_syncrun run
     CROSS JOIN LATERAL jsonb_array_elements(run.sources) listing
     WHERE run.id IN (SELECT run_id FROM accounts_batchitem
                       WHERE batch_id = %(batch)s AND state IN ('waiting', 'running') AND run_id IS NOT NULL)
       AND run.finished_at IS NOT NULL AND listing ->> 'outcome' IN ('failed', 'forbidden')
), outcome AS (
    SELECT item.account_id,
           CASE WHEN run.state = 'failed' THEN coalesce(nullif(run.error, ''), 'The sync failed.')
                WHEN EXISTS (SELECT FROM unread WHERE unread.run_id = run.id) THEN (
                    SELECT coalesce(min(unread.message), nullif(run.error, ''), 'Amazon did not show it.')
                      FROM accounts_accountaccess access
                     CROSS JOIN LATERAL unnest(access.seen_in) AS shown (list)
                      LEFT JOIN unread ON unread.run_id = run.id AND unread.list = shown.list
                     WHERE access.account_id = account.id AND access.connection_id = run.connection_id
                       AND split_part(shown.list, ':', 1) = account.source
                    HAVING bool_and(unread.list IS NOT NULL))
           END AS problem, run.cause
      FROM accounts_batchitem item
      JOIN accounts_syncrun run ON run.id = item.run_id AND run.finished_at IS NOT NULL
      JOIN user_accounts account ON account.id = item.account_id
     WHERE item.batch_id = %(batch)s AND item.state IN ('waiting', 'running')
)
UPDATE accounts_batchitem item
   SET state = CASE WHEN outcome.problem IS NULL THEN 'succeeded' ELSE 'failed' END,
       message = coalesce(outcome.problem, 'Synced.'),
       cause = CASE WHEN outcome.problem IS NULL THEN '' ELSE outcome.cause END
  FROM outcome
 WHERE item.batch_id = %(batch)s AND item.account_id = outcome.account_id
