-- Disconnects the accounts of one chunk and stores the result of each item.
-- An account that a newer request disconnected or reconnected stays as it is. The number of the request is stored on
-- accounts that are disconnected already too, so that an older request cannot reconnect them.
WITH chosen AS (
    SELECT account.id, coalesce(item.request_number, %(request_number)s) AS number,
           coalesce(account.inactive_reason = 'disconnected', false) AS is_done,
           coalesce((account.request_numbers ->> 'connected')::bigint, 0)
               > coalesce(item.request_number, %(request_number)s) AS is_overtaken
      FROM accounts_batchitem item JOIN user_accounts account ON account.id = item.account_id
     WHERE item.batch_id = %(batch)s AND item.account_id = ANY(%(ids)s)
), done AS (
    UPDATE user_accounts account
       SET status = 'inactive', inactive_reason = 'disconnected',
           standing = 'unknown', suspended_in = '{}', suspension_at = NULL,
           request_numbers = account.request_numbers || jsonb_build_object('connected', chosen.number),
           updated_at = CASE WHEN is_done THEN account.updated_at ELSE clock_timestamp() END,
           disconnected_at = CASE WHEN is_done THEN account.disconnected_at
                                  ELSE greatest(clock_timestamp(), account.connected_at) END
      FROM chosen
     WHERE account.id = chosen.id AND NOT is_overtaken
)
UPDATE accounts_batchitem item
   SET state = CASE WHEN is_overtaken OR is_done THEN 'skipped' ELSE 'succeeded' END,
       message = CASE WHEN is_overtaken THEN %(overtaken)s
                      WHEN is_done THEN 'It was disconnected before.' ELSE 'Disconnected.' END
  FROM unnest(%(ids)s::uuid[]) listed (id) LEFT JOIN chosen USING (id)
 WHERE item.batch_id = %(batch)s AND item.account_id = listed.id
