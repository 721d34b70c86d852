-- Refuses to empty the audit trail: see tokens_refuse_audit_change.
CREATE OR REPLACE TRIGGER audit_entries_stay BEFORE TRUNCATE ON tokens_auditentry
    FOR EACH STATEMENT EXECUTE FUNCTION tokens_refuse_audit_change()
