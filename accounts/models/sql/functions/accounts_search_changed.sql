-- Renews the search text of accounts whose name or id changed.
-- Called by the trigger search_changed_accounts once for each statement.
CREATE OR REPLACE FUNCTION accounts_search_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE accounts_accountsearch search
       SET text = lower(new_row.name || chr(10) || new_row.amazon_account_id), is_indexed = false
      FROM new_rows new_row
      JOIN old_rows old_row ON old_row.id = new_row.id
     WHERE search.account_id = new_row.id
       AND (old_row.name <> new_row.name OR old_row.amazon_account_id <> new_row.amazon_account_id);
    RETURN NULL;
END $$
