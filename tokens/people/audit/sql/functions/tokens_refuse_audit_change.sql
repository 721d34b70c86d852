-- Refuses every change of the audit trail but two: the pruning of old entries, and the place that a waiting link gets.
-- Called by the triggers audit_entry_stays and audit_link_stays, and by those of TRUNCATE.
CREATE OR REPLACE FUNCTION tokens_refuse_audit_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' AND current_setting('amazon_accounts.prune_audit', true) = 'on' THEN
        RETURN OLD;
    END IF;
    IF TG_OP = 'UPDATE' AND TG_TABLE_NAME = 'tokens_auditlink' THEN
        IF OLD.number IS NULL AND NEW.entry_id = OLD.entry_id THEN
            RETURN NEW;
        END IF;
    END IF;
    RAISE EXCEPTION 'The audit trail is only added to: % of % is refused.', TG_OP, TG_TABLE_NAME
        USING ERRCODE = 'insufficient_privilege';
END $$
