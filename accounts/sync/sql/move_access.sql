-- Gives the access of a connection to accounts to the same accounts of another team.
UPDATE accounts_accountaccess access
   SET account_id = pair.id
  FROM unnest(%(accounts)s::uuid[], %(others)s::uuid[]) AS pair (old_id, id)
 WHERE access.account_id = pair.old_id AND access.connection_id = %(connection)s
