"""Where answers of Amazon wait to be merged, and the triggers that write down every change."""

from django.db import migrations

# Unlogged: what waits here costs no WAL, and after a crash the run that staged it is dead anyway. Rows belong to a
# run and are deleted when it ends.
STAGING = """
CREATE UNLOGGED TABLE accounts_staged_account (
    run_id uuid NOT NULL,
    walk smallint NOT NULL,
    position bigint NOT NULL,
    amazon_account_id text NOT NULL,
    new_id uuid NOT NULL,
    source text NOT NULL,
    seen_in text[] NOT NULL,
    name text NOT NULL,
    account_type text,
    status text NOT NULL,
    amazon_status text,
    countries text[] NOT NULL,
    errors jsonb NOT NULL,
    metadata jsonb NOT NULL,
    profile_ids text[] NOT NULL,
    profile_countries text[] NOT NULL,
    profile_regions text[] NOT NULL,
    profile_entities text[] NOT NULL,
    links jsonb,
    cut_regions text[]
);
CREATE INDEX staged_account_by_position ON accounts_staged_account (run_id, walk, position);
CREATE INDEX staged_account_by_key ON accounts_staged_account (run_id, amazon_account_id);

CREATE UNLOGGED TABLE accounts_staged_profile (
    run_id uuid NOT NULL,
    walk smallint NOT NULL,
    profile_id text NOT NULL,
    new_account_id uuid NOT NULL,
    region text NOT NULL,
    country_code text NOT NULL,
    marketplace_id text NOT NULL,
    currency_code text NOT NULL,
    timezone text NOT NULL,
    type text NOT NULL,
    subtype text NOT NULL,
    name text NOT NULL,
    entity_id text NOT NULL,
    access_level text,
    valid_payment_method boolean,
    daily_budget numeric(20, 2),
    raw jsonb
);
CREATE INDEX staged_profile_by_key ON accounts_staged_profile (run_id, profile_id);
"""

NO_STAGING = """
DROP TABLE accounts_staged_account;
DROP TABLE accounts_staged_profile;
"""

# Statement-level, so that ten thousand rows cost one call. The run, if any, is named by the transaction that writes.
CHANGES = """
CREATE FUNCTION accounts_current_run() RETURNS uuid STABLE LANGUAGE sql AS $$
    SELECT nullif(current_setting('amazon_accounts.sync_run', true), '')::uuid
$$;

CREATE FUNCTION accounts_note_account_changes() RETURNS trigger LANGUAGE plpgsql AS $$
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
                    WHEN old_row.inactive_reason = 'not_visible' THEN 'appeared'
                    ELSE 'status' END,
               to_jsonb(old_row.status), to_jsonb(new_row.status)
         WHERE (old_row.status, old_row.inactive_reason) IS DISTINCT FROM (new_row.status, new_row.inactive_reason)
        UNION ALL
        SELECT 'countries', to_jsonb(old_row.countries), to_jsonb(new_row.countries)
         WHERE old_row.countries <> new_row.countries
        UNION ALL
        SELECT 'errors', old_row.errors, new_row.errors
         WHERE old_row.errors <> new_row.errors
     ) change;
    RETURN NULL;
END $$;

CREATE TRIGGER note_account_changes AFTER UPDATE ON user_accounts
    REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION accounts_note_account_changes();

CREATE FUNCTION accounts_note_profile_changes() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO accounts_accountchange (account_id, run_id, changed_at, kind, profile_id, old, new)
    SELECT new_row.account_id, accounts_current_run(), clock_timestamp(), 'payment', new_row.profile_id,
           coalesce(to_jsonb(old_row.valid_payment_method), 'null'),
           coalesce(to_jsonb(new_row.valid_payment_method), 'null')
      FROM new_rows new_row
      JOIN old_rows old_row ON old_row.id = new_row.id
     WHERE old_row.valid_payment_method IS DISTINCT FROM new_row.valid_payment_method;
    RETURN NULL;
END $$;

CREATE TRIGGER note_profile_changes AFTER UPDATE ON accounts_profile
    REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION accounts_note_profile_changes();
"""

NO_CHANGES = """
DROP TRIGGER note_account_changes ON user_accounts;
DROP TRIGGER note_profile_changes ON accounts_profile;
DROP FUNCTION accounts_note_account_changes();
DROP FUNCTION accounts_note_profile_changes();
DROP FUNCTION accounts_current_run();
"""


class Migration(migrations.Migration):
    dependencies = [("accounts", "0001_initial")]

    operations = [
        migrations.RunSQL(STAGING, NO_STAGING),
        migrations.RunSQL(CHANGES, NO_CHANGES),
    ]
