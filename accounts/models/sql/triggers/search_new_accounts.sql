-- Keeps new accounts searchable: see accounts_search_new.
CREATE OR REPLACE TRIGGER search_new_accounts AFTER INSERT ON user_accounts
    REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION accounts_search_new()
