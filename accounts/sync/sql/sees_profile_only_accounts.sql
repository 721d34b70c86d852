-- Tells whether the connection sees any profile-only account, which a new ads account could adopt.
-- A run asks once: it stages no profile-only account before its ads accounts are merged.
SELECT EXISTS(SELECT FROM accounts_accountaccess
                WHERE connection_id = %(connection)s AND seen_in && %(profile_scopes)s::text[])
