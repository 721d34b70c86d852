-- Keeps the links of the audit trail as they were made: see tokens_refuse_audit_change.
CREATE OR REPLACE TRIGGER audit_link_stays BEFORE UPDATE OR DELETE ON tokens_auditlink
    FOR EACH ROW EXECUTE FUNCTION tokens_refuse_audit_change()
