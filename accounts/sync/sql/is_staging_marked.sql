-- Returns whether the mark of a run exists. The mark is staged before all other rows of the run.
SELECT EXISTS(SELECT FROM accounts_staged_account
               WHERE run_id = %(run)s AND walk = %(listing)s AND position = 0)
