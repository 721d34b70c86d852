-- Writes a new period when a connection gets another state or grant, or is paused or resumed: see tokens_begin_period.
CREATE OR REPLACE TRIGGER begin_period AFTER UPDATE OF state, grant_version, paused ON tokens_connection
    FOR EACH ROW WHEN (
        OLD.state IS DISTINCT FROM NEW.state
        OR OLD.grant_version IS DISTINCT FROM NEW.grant_version
        OR OLD.paused IS DISTINCT FROM NEW.paused
    ) EXECUTE FUNCTION tokens_begin_period()
