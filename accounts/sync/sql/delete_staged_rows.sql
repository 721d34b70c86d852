-- Deletes what the syncs of a connection have read from Amazon and not stored yet.
WITH runs AS (
    SELECT id FROM accounts_syncrun
    WHERE connection_id = %(connection)s
),

profiles AS (
    DELETE FROM accounts_staged_profile
    USING runs
    WHERE accounts_staged_profile.run_id = runs.id
)

DELETE FROM accounts_staged_account
USING runs
WHERE accounts_staged_account.run_id = runs.id
