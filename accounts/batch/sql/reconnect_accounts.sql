-- Reconnects the accounts of one chunk and stores the result of each item.
-- An account gets the status that Amazon's last word stands for (words[i] means statuses[i]), unless no connection
-- sees it any more.
WITH done AS (
    UPDATE user_accounts account
       SET status = CASE WHEN seen.by_a_connection THEN seen.status ELSE 'inactive' END,
           inactive_reason = CASE WHEN seen.by_a_connection THEN NULL ELSE 'not_visible' END,
           disconnected_at = NULL, updated_at = clock_timestamp()
      FROM (
        SELECT disconnected.id,
               EXISTS(SELECT FROM accounts_accountaccess WHERE account_id = disconnected.id) AS by_a_connection,
               coalesce(known.status, 'pending') AS status
          FROM user_accounts disconnected
          LEFT JOIN unnest(%(words)s::text[], %(statuses)s::text[]) known (word, status)
                 ON known.word = coalesce(disconnected.amazon_status, '')
         WHERE disconnected.id = ANY(%(ids)s) AND disconnected.inactive_reason = 'disconnected'
      ) seen
     WHERE account.id = seen.id
 RETURNING account.id, account.inactive_reason
)
UPDATE accounts_batchitem item
   SET state = CASE WHEN done.id IS NULL THEN 'skipped' ELSE 'succeeded' END,
       message = CASE WHEN done.id IS NULL THEN 'It was not disconnected here.'
                      WHEN done.inactive_reason IS NULL THEN 'Reconnected.'
                      ELSE 'Reconnected, but no connection sees it now; it returns when one does.' END
  FROM unnest(%(ids)s::uuid[]) asked (id) LEFT JOIN done USING (id)
 WHERE item.batch_id = %(batch)s AND item.account_id = asked.id
