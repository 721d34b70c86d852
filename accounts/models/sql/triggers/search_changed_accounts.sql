-- Keeps changed accounts searchable: see accounts_search_changed.
CREATE OR REPLACE TRIGGER search_changed_accounts AFTER UPDATE ON user_accounts
    REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION accounts_search_changed()
