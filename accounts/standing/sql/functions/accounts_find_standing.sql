-- Returns the standing of a profile from Amazon's billing code and notices. Notices are null if Amazon never told them.
-- Amazon does not say what a code means for campaigns that run, so only a notice says that they are stopped.
CREATE OR REPLACE FUNCTION accounts_find_standing(billing_status text, notices jsonb) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE
        WHEN notices @> '[{"impact": "CAMPAIGNS_SUSPENDED"}]' THEN 'suspended'
        WHEN notices @> '[{"severity": "ALERT"}]'
            OR accounts_find_suspension(notices) IS NOT NULL
            OR billing_status IN (
                'ACCOUNT_BILLING_ISSUE', 'INVALID_PAYMENT_REGISTRATION', 'PAYMENT_METHOD_EXPIRED',
                'PAYMENT_METHOD_VERIFICATION_FAILED', 'RESERVE_ORDER_BALANCE_TOO_LOW',
                'STORED_VALUE_BALANCE_TOO_LOW') THEN 'at_risk'
        WHEN billing_status IN (
            'PENDING_BILLING_REGISTRATION', 'PENDING_PAYMENT_REGISTRATION', 'PENDING_TAX_REGISTRATION') THEN 'set_up'
        WHEN billing_status = 'VALID_BILLING_STATUS' AND notices IS NOT NULL THEN 'good'
        ELSE 'unknown' END
$$
