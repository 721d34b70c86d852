"""Indexes for the lookups of staged rows by key."""

from django.db import migrations

# Only these are looked up by their key; for most rows, which are ads accounts, it would cost more than it is worth.
INDEX = """
DROP INDEX staged_account_by_key;
CREATE INDEX staged_account_by_key ON accounts_staged_account (run_id, amazon_account_id)
    WHERE source <> 'ads_accounts';
DROP INDEX staged_profile_by_key;
CREATE INDEX staged_profile_by_key ON accounts_staged_profile (run_id, profile_id, region);
"""
NO_INDEX = """
DROP INDEX staged_account_by_key;
CREATE INDEX staged_account_by_key ON accounts_staged_account (run_id, amazon_account_id);
DROP INDEX staged_profile_by_key;
CREATE INDEX staged_profile_by_key ON accounts_staged_profile (run_id, profile_id);
"""


class Migration(migrations.Migration):
    dependencies = [("accounts", "0005_list_indexes")]

    operations = [
        # 0012_functions installs the function.
        migrations.RunSQL(
            migrations.RunSQL.noop,
            "DROP FUNCTION IF EXISTS accounts_staged_chunk(uuid, integer, bigint, bigint);",
        ),
        migrations.RunSQL(INDEX, NO_INDEX),
    ]
