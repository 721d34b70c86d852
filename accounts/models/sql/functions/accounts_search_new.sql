-- Adds the search text of new accounts, not indexed yet.
-- Called by the trigger search_new_accounts once for each statement.
CREATE OR REPLACE FUNCTION accounts_search_new() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO accounts_accountsearch (account_id, text, is_indexed)
    SELECT id, lower(name || chr(10) || amazon_account_id), false FROM new_rows;
    RETURN NULL;
END $$
