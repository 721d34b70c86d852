-- Records a change of the payment method of profiles.
-- Called by the trigger note_profile_changes once for each statement.
CREATE OR REPLACE FUNCTION accounts_note_profile_changes() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO accounts_accountchange (account_id, run_id, changed_at, kind, profile_id, old, new)
    SELECT new_row.account_id, accounts_current_run(), clock_timestamp(), 'payment', new_row.profile_id,
           coalesce(to_jsonb(old_row.valid_payment_method), 'null'),
           coalesce(to_jsonb(new_row.valid_payment_method), 'null')
      FROM new_rows new_row
      JOIN old_rows old_row ON old_row.id = new_row.id
     WHERE old_row.valid_payment_method IS DISTINCT FROM new_row.valid_payment_method;
    RETURN NULL;
END $$
