-- Gives everything that one connection sees to another connection of the same login. Where both see an account, the
-- lists of both are kept.
WITH own AS (
    SELECT access.id, access.account_id, access.seen_in
      FROM accounts_accountaccess access
     WHERE access.connection_id = %(connection)s
), both_see AS (
    UPDATE accounts_accountaccess present
       SET seen_in = ARRAY(SELECT DISTINCT scope FROM unnest(present.seen_in || own.seen_in) scope ORDER BY 1)
      FROM own
     WHERE present.connection_id = %(older)s AND present.account_id = own.account_id
    RETURNING present.account_id
), moved AS (
    UPDATE accounts_accountaccess access
       SET connection_id = %(older)s
      FROM own
     WHERE access.id = own.id AND NOT EXISTS (
           SELECT FROM accounts_accountaccess present
            WHERE present.connection_id = %(older)s AND present.account_id = own.account_id)
), removed AS (
    DELETE FROM accounts_accountaccess
     WHERE connection_id = %(connection)s AND account_id IN (SELECT account_id FROM both_see)
)
UPDATE user_accounts
   SET connection_id = %(older)s, updated_at = statement_timestamp()
 WHERE connection_id = %(connection)s
