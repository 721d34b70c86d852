-- Keeps the entries of the audit trail as they were written: see tokens_refuse_audit_change.
CREATE OR REPLACE TRIGGER audit_entry_stays BEFORE UPDATE OR DELETE ON tokens_auditentry
    FOR EACH ROW EXECUTE FUNCTION tokens_refuse_audit_change()
