-- Records what an UPDATE changed on accounts: name, status, standing, countries and errors.
-- Called by the trigger note_account_changes once for each statement, so that ten thousand rows cost one call. An
-- account appears again only when it is there: an account that goes from not_visible to disconnected has not appeared.
CREATE OR REPLACE FUNCTION accounts_note_account_changes() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO accounts_accountchange (account_id, run_id, changed_at, kind, profile_id, old, new)
    SELECT new_row.id, accounts_current_run(), clock_timestamp(), change.kind, '', change.old, change.new
      FROM new_rows new_row
      JOIN old_rows old_row ON old_row.id = new_row.id
     CROSS JOIN LATERAL (
        SELECT 'name' AS kind, to_jsonb(old_row.name) AS old, to_jsonb(new_row.name) AS new
         WHERE old_row.name <> new_row.name
        UNION ALL
        SELECT CASE WHEN new_row.inactive_reason = 'not_visible' THEN 'vanished'
                    WHEN old_row.inactive_reason = 'not_visible'
                         AND new_row.inactive_reason IS DISTINCT FROM 'disconnected' THEN 'appeared'
                    ELSE 'status' END,
               to_jsonb(old_row.status), to_jsonb(new_row.status)
         WHERE (old_row.status, old_row.inactive_reason) IS DISTINCT FROM (new_row.status, new_row.inactive_reason)
        UNION ALL
        SELECT 'standing', to_jsonb(old_row.standing), to_jsonb(new_row.standing)
         WHERE old_row.standing <> new_row.standing
           -- Every account that Amazon is asked about for the first time would change, and most to nothing of interest.
           AND NOT (old_row.standing IN ('unknown', 'good') AND new_row.standing IN ('unknown', 'good'))
        UNION ALL
        SELECT 'countries', to_jsonb(old_row.countries), to_jsonb(new_row.countries)
         WHERE old_row.countries <> new_row.countries
        UNION ALL
        SELECT 'errors', old_row.errors, new_row.errors
         WHERE old_row.errors <> new_row.errors
     ) change;
    RETURN NULL;
END $$
