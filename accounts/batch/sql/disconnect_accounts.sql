-- Disconnects the accounts of one chunk and stores the result of each item.
WITH done AS (
    UPDATE user_accounts
       SET status = 'inactive', inactive_reason = 'disconnected', updated_at = clock_timestamp(),
           disconnected_at = greatest(clock_timestamp(), connected_at)
     WHERE id = ANY(%(ids)s) AND inactive_reason IS DISTINCT FROM 'disconnected'
 RETURNING id
)
UPDATE accounts_batchitem item
   SET state = CASE WHEN done.id IS NULL THEN 'skipped' ELSE 'succeeded' END,
       message = CASE WHEN done.id IS NULL THEN 'It was disconnected before.' ELSE 'Disconnected.' END
  FROM unnest(%(ids)s::uuid[]) asked (id) LEFT JOIN done USING (id)
 WHERE item.batch_id = %(batch)s AND item.account_id = asked.id
