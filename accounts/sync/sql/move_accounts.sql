-- Gives accounts to another team, and to the one connection that sees them there.
-- The default account of the old team stays a default account only if the new team has none.
UPDATE user_accounts
   SET team_id = %(team)s, connection_id = %(connection)s, updated_at = statement_timestamp(),
       is_default = is_default AND NOT EXISTS (
           SELECT FROM user_accounts own WHERE own.team_id = %(team)s AND own.is_default)
 WHERE id = ANY(%(accounts)s)
