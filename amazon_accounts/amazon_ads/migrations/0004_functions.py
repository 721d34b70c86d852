"""Install the database functions of pacing from their files, in their current form.

When a file changes, a new migration installs it, and the step here becomes empty.
"""

from pathlib import Path

from django.db import migrations

FUNCTIONS = Path(__file__).parents[1] / "pacing/sql/functions"


class Migration(migrations.Migration):
    dependencies = [("amazon_ads", "0003_application_probe")]

    # The function stays when this migration is undone: the version before it needs it.
    operations = [
        migrations.RunSQL(
            (FUNCTIONS / "amazon_ads_reserve.sql").read_text(encoding="utf-8"), migrations.RunSQL.noop
        ),
    ]
