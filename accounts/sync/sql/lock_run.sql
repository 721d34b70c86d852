-- Keeps a run from being closed until the transaction ends, and changes a database setting for this
-- transaction. Returns no row if the run was closed or claimed again.
SELECT set_config(%(setting)s, %(value)s, true)
  FROM accounts_syncrun
 WHERE id = %(run)s AND state = 'running' AND started_at = %(started_at)s
   FOR SHARE
