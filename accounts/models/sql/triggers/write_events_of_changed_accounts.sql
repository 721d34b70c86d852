-- Writes the events of changed accounts: see accounts_write_events.
CREATE OR REPLACE TRIGGER write_events_of_changed_accounts AFTER UPDATE ON user_accounts
    REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION accounts_write_events()
