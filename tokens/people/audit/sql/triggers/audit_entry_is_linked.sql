-- Gives each new entry of the audit trail a link: see tokens_link_audit_entries.
CREATE OR REPLACE TRIGGER audit_entry_is_linked AFTER INSERT ON tokens_auditentry
    REFERENCING NEW TABLE AS new_entries
    FOR EACH STATEMENT EXECUTE FUNCTION tokens_link_audit_entries()
