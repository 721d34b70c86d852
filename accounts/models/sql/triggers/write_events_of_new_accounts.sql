-- Writes the events of new accounts: see accounts_write_events.
CREATE OR REPLACE TRIGGER write_events_of_new_accounts AFTER INSERT ON user_accounts
    REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION accounts_write_events()
