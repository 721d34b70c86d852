-- Returns the sync run that makes the changes of this transaction, or null.
-- A sync names its run in the setting amazon_accounts.sync_run, for the triggers that record changes.
CREATE OR REPLACE FUNCTION accounts_current_run() RETURNS uuid STABLE LANGUAGE sql AS $$
    SELECT nullif(current_setting('amazon_accounts.sync_run', true), '')::uuid
$$
