-- Deletes the copies of staged rows that were merged before the others.
DELETE FROM accounts_staged_account WHERE run_id = %(run)s AND walk = %(copies)s
