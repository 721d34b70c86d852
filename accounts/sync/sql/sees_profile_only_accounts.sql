-- Returns whether the connection sees any profile-only account, which a new ads account could adopt.
-- The answer stays true for a whole run, because a run stages profile-only accounts after it has merged ads
-- accounts.
SELECT EXISTS(SELECT FROM accounts_accountaccess
                WHERE connection_id = %(connection)s AND seen_in && %(profile_scopes)s::text[])
