-- Makes a link for each new entry of the audit trail, which waits for its place in the chain.
-- Called by the trigger audit_entry_is_linked.
CREATE OR REPLACE FUNCTION tokens_link_audit_entries() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO tokens_auditlink (entry_id) SELECT id FROM new_entries;
    RETURN NULL;
END $$
