"""The table that accounts are found by, kept true by triggers."""

import django.contrib.postgres.indexes
import django.db.models.deletion
from django.db import migrations, models

import accounts.models.search

# The index below needs the function. 0012_functions installs the function in its current form.
TRIGRAMS = """
CREATE FUNCTION account_trigrams(content text) RETURNS text[] IMMUTABLE PARALLEL SAFE STRICT LANGUAGE sql AS $$
    SELECT array(SELECT DISTINCT substr(content, i, 3) FROM generate_series(1, length(content) - 2) i)
$$;
"""

FILL = """
INSERT INTO accounts_accountsearch (account_id, text, is_indexed)
SELECT id, lower(name || chr(10) || amazon_account_id), false FROM user_accounts;
"""

NO_TRIGGERS = """
DROP TRIGGER IF EXISTS search_new_accounts ON user_accounts;
DROP TRIGGER IF EXISTS search_changed_accounts ON user_accounts;
DROP FUNCTION IF EXISTS accounts_search_new();
DROP FUNCTION IF EXISTS accounts_search_changed();
"""


class Migration(migrations.Migration):
    dependencies = [("accounts", "0003_batch_operations")]

    operations = [
        migrations.RunSQL(TRIGRAMS, "DROP FUNCTION account_trigrams(text);"),
        migrations.CreateModel(
            name="AccountSearch",
            fields=[
                (
                    "account",
                    models.OneToOneField(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="+",
                        serialize=False,
                        to="accounts.account",
                    ),
                ),
                ("text", models.TextField()),
                ("is_indexed", models.BooleanField(default=False)),
            ],
            options={
                "indexes": [
                    django.contrib.postgres.indexes.GinIndex(
                        accounts.models.search.Trigrams("text"),
                        condition=models.Q(("is_indexed", True)),
                        name="account_search_trigrams",
                    ),
                    models.Index(
                        condition=models.Q(("is_indexed", False)),
                        fields=["account"],
                        name="account_search_waiting",
                    ),
                ],
            },
        ),
        # 0012_functions installs the triggers.
        migrations.RunSQL(FILL, NO_TRIGGERS),
    ]
