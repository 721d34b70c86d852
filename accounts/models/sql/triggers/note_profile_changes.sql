-- Records changes of profiles: see accounts_note_profile_changes.
CREATE OR REPLACE TRIGGER note_profile_changes AFTER UPDATE ON accounts_profile
    REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION accounts_note_profile_changes()
