"""Install the database functions and triggers of accounts from their files, in their current form.

When a file changes, a new migration installs it, and the step here becomes empty.
"""

from pathlib import Path

from django.db import migrations

APP = Path(__file__).parents[1]
FILES = [
    "models/sql/functions/account_trigrams.sql",
    "models/sql/functions/accounts_current_person.sql",
    "models/sql/functions/accounts_current_run.sql",
    "models/sql/functions/accounts_note_profile_changes.sql",
    "models/sql/functions/accounts_search_changed.sql",
    "models/sql/functions/accounts_search_new.sql",
    "models/sql/triggers/note_profile_changes.sql",
    "models/sql/triggers/search_changed_accounts.sql",
    "models/sql/triggers/search_new_accounts.sql",
    "sync/sql/functions/accounts_staged_chunk.sql",
    "sync/sql/functions/accounts_staged_of.sql",
    "sync/sql/functions/accounts_staged_profiles_of.sql",
]


class Migration(migrations.Migration):
    dependencies = [("accounts", "0011_changed_by")]

    # The functions stay when this migration is undone: the version before it needs them.
    operations = [
        migrations.RunSQL((APP / file).read_text(encoding="utf-8"), migrations.RunSQL.noop) for file in FILES
    ]
