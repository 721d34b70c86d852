"""Write the events of accounts by triggers."""

from pathlib import Path

from django.db import migrations

MODELS = Path(__file__).parents[1] / "models" / "sql"
FILES = [
    "functions/accounts_describe_event.sql",
    "functions/accounts_write_events.sql",
    "triggers/write_events_of_changed_accounts.sql",
    "triggers/write_events_of_new_accounts.sql",
]
UNDO = """
DROP TRIGGER write_events_of_new_accounts ON user_accounts;
DROP TRIGGER write_events_of_changed_accounts ON user_accounts;
DROP FUNCTION accounts_write_events();
DROP FUNCTION accounts_describe_event(user_accounts, tokens_team, tokens_connection);
"""


class Migration(migrations.Migration):
    dependencies = [("accounts", "0025_batch_teams"), ("tokens", "0035_events")]

    operations = [
        migrations.RunSQL(migrations.RunSQL.noop, UNDO),
        *(
            migrations.RunSQL((MODELS / file).read_text(encoding="utf-8"), migrations.RunSQL.noop)
            for file in FILES
        ),
    ]
