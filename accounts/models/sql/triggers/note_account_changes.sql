-- Records changes of accounts: see accounts_note_account_changes.
CREATE OR REPLACE TRIGGER note_account_changes AFTER UPDATE ON user_accounts
    REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION accounts_note_account_changes()
