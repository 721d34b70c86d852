-- Ends the sessions of a person, and also the API keys if the person is deactivated or no longer staff.
-- Called by the trigger end_access.
CREATE OR REPLACE FUNCTION tokens_end_access() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM tokens_session WHERE user_id = NEW.id;
    IF NOT (NEW.is_active AND NEW.is_staff) THEN
        DELETE FROM tokens_apikey WHERE user_id = NEW.id;
    END IF;
    RETURN NULL;
END $$
