-- Returns the person who makes the changes of this transaction, or null.
-- Default of accounts_accountchange.changed_by. Operations name the person in the setting amazon_accounts.changed_by.
CREATE OR REPLACE FUNCTION accounts_current_person() RETURNS integer STABLE LANGUAGE sql AS $$
    SELECT nullif(current_setting('amazon_accounts.changed_by', true), '')::integer
$$
