-- Writes the first period of a new connection: see tokens_begin_period.
CREATE OR REPLACE TRIGGER begin_first_period AFTER INSERT ON tokens_connection
    FOR EACH ROW EXECUTE FUNCTION tokens_begin_period()
