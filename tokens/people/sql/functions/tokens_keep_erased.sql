-- Refuses to change a person who was erased: what began before could write the names again, or open the console again.
-- Called by the trigger keep_erased.
CREATE OR REPLACE FUNCTION tokens_keep_erased() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM tokens_erasedperson WHERE person_id = OLD.id) THEN
        RAISE EXCEPTION 'User % was erased, and is not changed any more.', OLD.id
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END $$
