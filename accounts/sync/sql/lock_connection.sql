-- Keeps a connection from being disconnected, reconnected or moved to another team until the transaction ends.
-- Returns no row if that has happened since its grant version and team were read.
SELECT 1
  FROM tokens_connection
 WHERE id = %(connection)s AND grant_version = %(grant_version)s AND team_id = %(team)s AND state <> 'disconnected'
   FOR SHARE
