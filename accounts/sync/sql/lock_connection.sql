-- Keeps a connection from being disconnected or reconnected until the transaction ends.
-- Returns no row if the connection was disconnected or reconnected since its grant version was read.
SELECT 1
  FROM tokens_connection
 WHERE id = %(connection)s AND grant_version = %(grant_version)s AND state <> 'disconnected'
   FOR SHARE
