-- Puts the names of some accounts into the search index.
-- Rows that another transaction writes at the moment are left for the next time, because nobody waits for this.
UPDATE accounts_accountsearch
   SET is_indexed = true
 WHERE account_id IN (
    SELECT account_id
      FROM accounts_accountsearch
     WHERE NOT is_indexed
     ORDER BY account_id
     LIMIT %(limit)s
       FOR UPDATE SKIP LOCKED
 )
