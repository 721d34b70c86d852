-- Returns the status of an account from the status that Amazon's list gives it and from its standing.
CREATE OR REPLACE FUNCTION accounts_find_status(listed text, standing text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE WHEN listed IN ('inactive', 'suspended') THEN listed
                WHEN standing = 'suspended' THEN 'suspended'
                WHEN standing = 'set_up' THEN 'pending'
                ELSE listed END
$$
