-- Lists the scopes in which a connection sees accounts, as its access rows remember them.
SELECT DISTINCT unnest(seen_in)
  FROM accounts_accountaccess
 WHERE connection_id = %(connection)s
