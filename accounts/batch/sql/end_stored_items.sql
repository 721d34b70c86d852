-- Ends the items of accounts that a run has read and stored, before it ends: the staged rows between two positions.
-- An account whose row the database refused, or that has been switched off meanwhile, waits for the end of the run.
UPDATE accounts_batchitem item
   SET state = 'succeeded', message = 'Synced.'
  FROM accounts_staged_chunk(%(run)s, %(listing)s, %(after)s, %(up_to)s) staged
  JOIN accounts_syncrun run ON run.id = staged.run_id
  JOIN tokens_connection connection ON connection.id = run.connection_id
  JOIN user_accounts account
    ON account.team_id = connection.team_id
   AND account.amazon_account_id = staged.amazon_account_id
   AND account.connection_id = connection.id
   AND account.source = staged.source
 WHERE item.batch_id = %(batch)s
   AND item.account_id = account.id
   AND item.run_id = run.id
   AND item.state IN ('waiting', 'running')
   AND NOT staged.amazon_account_id = ANY(%(refused)s::text[])
   AND account.sync_enabled
   AND account.inactive_reason IS DISTINCT FROM 'disconnected'
