-- Writes what a connection is from now on. Called by the triggers begin_first_period and begin_period.
-- A new connection begins when it was made. Later the row is locked, so the clock gives its periods their order.
CREATE OR REPLACE FUNCTION tokens_begin_period() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO tokens_connectionperiod (connection_id, began_at, state, paused, expires_at)
    VALUES (
        NEW.id,
        CASE TG_OP WHEN 'INSERT' THEN statement_timestamp() ELSE clock_timestamp() END,
        NEW.state,
        NEW.paused,
        NEW.expires_at
    );
    RETURN NULL;
END $$
