-- Refuses to empty the chain of the audit trail: see tokens_refuse_audit_change.
CREATE OR REPLACE TRIGGER audit_links_stay BEFORE TRUNCATE ON tokens_auditlink
    FOR EACH STATEMENT EXECUTE FUNCTION tokens_refuse_audit_change()
