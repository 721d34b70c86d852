-- Reconnects the accounts of one chunk and stores the result of each item.
-- An account gets the status that Amazon's last word stands for (words[i] means statuses[i]), unless no connection
-- sees it any more. An account that a newer request disconnected or reconnected stays as it is. The number of the
-- request is stored on accounts that are connected already too, so that an older request cannot disconnect them.
WITH chosen AS (
    SELECT account.id, coalesce(item.request_number, %(request_number)s) AS number,
           coalesce(account.inactive_reason <> 'disconnected', true) AS is_done,
           coalesce((account.request_numbers ->> 'connected')::bigint, 0)
               > coalesce(item.request_number, %(request_number)s) AS is_overtaken,
           EXISTS(SELECT FROM accounts_accountaccess WHERE account_id = account.id) AS is_seen,
           coalesce(known.status, 'unknown') AS status
      FROM accounts_batchitem item
      JOIN user_accounts account ON account.id = item.account_id
      LEFT JOIN unnest(%(words)s::text[], %(statuses)s::text[]) known (word, status)
             ON known.word = coalesce(account.amazon_status, '')
     WHERE item.batch_id = %(batch)s AND item.account_id = ANY(%(ids)s)
), done AS (
    UPDATE user_accounts account
       SET status = CASE WHEN is_done THEN account.status WHEN is_seen THEN chosen.status ELSE 'inactive' END,
           inactive_reason = CASE WHEN is_done THEN account.inactive_reason
                                  WHEN NOT is_seen THEN 'not_visible'
                                  WHEN chosen.status = 'inactive' THEN 'registration_failed' END,
           request_numbers = account.request_numbers || jsonb_build_object('connected', chosen.number),
           disconnected_at = CASE WHEN is_done THEN account.disconnected_at END,
           updated_at = CASE WHEN is_done THEN account.updated_at ELSE clock_timestamp() END
      FROM chosen
     WHERE account.id = chosen.id AND NOT is_overtaken
)
UPDATE accounts_batchitem item
   SET state = CASE WHEN is_overtaken OR is_done THEN 'skipped' ELSE 'succeeded' END,
       message = CASE WHEN is_overtaken THEN %(overtaken)s
                      WHEN is_done THEN 'It was not disconnected here.'
                      WHEN is_seen THEN 'Reconnected.'
                      ELSE 'Reconnected, but no connection sees it now; it returns when one does.' END
  FROM unnest(%(ids)s::uuid[]) listed (id) LEFT JOIN chosen USING (id)
 WHERE item.batch_id = %(batch)s AND item.account_id = listed.id
