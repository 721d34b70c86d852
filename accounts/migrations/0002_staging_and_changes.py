"""The tables where Amazon's answers wait to be merged."""

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

NO_CHANGES = """
DROP TRIGGER IF EXISTS note_account_changes ON user_accounts;
DROP TRIGGER IF EXISTS note_profile_changes ON accounts_profile;
DROP FUNCTION IF EXISTS accounts_note_account_changes();
DROP FUNCTION IF EXISTS accounts_note_profile_changes();
DROP FUNCTION IF EXISTS accounts_current_run();
"""


class Migration(migrations.Migration):
    dependencies = [("accounts", "0001_initial")]

    operations = [
        migrations.RunSQL(STAGING, NO_STAGING),
        # 0012_functions installs the functions and triggers.
        migrations.RunSQL(migrations.RunSQL.noop, NO_CHANGES),
    ]
