"""The table that accounts are found by, kept true by triggers."""

import django.contrib.postgres.indexes
import django.db.models.deletion
from django.db import migrations, models

import accounts.models.search

# The embedded PostgreSQL has no pg_trgm; this is the part of it that a search anywhere in a text needs.
TRIGRAMS = """
CREATE FUNCTION account_trigrams(content text) RETURNS text[] IMMUTABLE PARALLEL SAFE STRICT LANGUAGE sql AS $$
    SELECT array(SELECT DISTINCT substr(content, i, 3) FROM generate_series(1, length(content) - 2) i)
$$;
"""

# Statement-level, so that ten thousand rows cost one call.
TRIGGERS = """
CREATE FUNCTION accounts_search_new() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO accounts_accountsearch (account_id, text, is_indexed)
    SELECT id, lower(name || chr(10) || amazon_account_id), false FROM new_rows;
    RETURN NULL;
END $$;

CREATE FUNCTION accounts_search_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE accounts_accountsearch search
       SET text = lower(new_row.name || chr(10) || new_row.amazon_account_id), is_indexed = false
      FROM new_rows new_row
      JOIN old_rows old_row ON old_row.id = new_row.id
     WHERE search.account_id = new_row.id
       AND (old_row.name <> new_row.name OR old_row.amazon_account_id <> new_row.amazon_account_id);
    RETURN NULL;
END $$;

CREATE TRIGGER search_new_accounts AFTER INSERT ON user_accounts
    REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION accounts_search_new();

CREATE TRIGGER search_changed_accounts AFTER UPDATE ON user_accounts
    REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION accounts_search_changed();

INSERT INTO accounts_accountsearch (account_id, text, is_indexed)
SELECT id, lower(name || chr(10) || amazon_account_id), false FROM user_accounts;
"""

NO_TRIGGERS = """
DROP TRIGGER search_new_accounts ON user_accounts;
DROP TRIGGER search_changed_accounts ON user_accounts;
DROP FUNCTION accounts_search_new();
DROP FUNCTION accounts_search_changed();
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
        migrations.RunSQL(TRIGGERS, NO_TRIGGERS),
    ]
