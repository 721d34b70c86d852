-- Returns the Amazon account id of the staged row at a position of a listing.
SELECT amazon_account_id
  FROM accounts_staged_account
 WHERE run_id = %(run)s AND walk = %(listing)s AND position = %(position)s
