-- Ends the access of a person who gets another password, is deactivated or is no longer staff: see tokens_end_access.
-- The browser that changes its own password gets a session with a new key afterwards, from Django.
CREATE OR REPLACE TRIGGER end_access AFTER UPDATE OF password, is_active, is_staff ON auth_user
    FOR EACH ROW WHEN (
        OLD.password IS DISTINCT FROM NEW.password
        OR (OLD.is_active AND NOT NEW.is_active)
        OR (OLD.is_staff AND NOT NEW.is_staff)
    ) EXECUTE FUNCTION tokens_end_access()
