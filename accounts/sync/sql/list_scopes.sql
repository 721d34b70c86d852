-- Lists the scopes in which a connection sees accounts, according to its access rows.
SELECT DISTINCT unnest(seen_in)
  FROM accounts_accountaccess
 WHERE connection_id = %(connection)s
