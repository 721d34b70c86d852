"""Keep what a connection was and since when, from now on."""

from pathlib import Path

import django.db.models.deletion
from django.db import migrations, models

SQL = Path(__file__).parents[1] / "connect" / "sql"
FILES = {
    "functions/tokens_begin_period.sql": "DROP FUNCTION tokens_begin_period",
    "triggers/begin_first_period.sql": "DROP TRIGGER begin_first_period ON tokens_connection",
    "triggers/begin_period.sql": "DROP TRIGGER begin_period ON tokens_connection",
}
# After the triggers, which lock the table: no change is missed.
BEGIN_NOW = """
    INSERT INTO tokens_connectionperiod (connection_id, began_at, state, paused, expires_at)
    SELECT id, clock_timestamp(), state, paused, expires_at FROM tokens_connection ORDER BY id
"""


class Migration(migrations.Migration):
    dependencies = [
        ("tokens", "0043_alert_times"),
    ]

    operations = [
        migrations.CreateModel(
            name="ConnectionPeriod",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("began_at", models.DateTimeField()),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("active", "Active"),
                            ("reauthorization_required", "Reauthorization Required"),
                            ("disconnected", "Disconnected"),
                        ],
                        max_length=32,
                    ),
                ),
                ("paused", models.BooleanField()),
                ("expires_at", models.DateTimeField(null=True)),
            ],
            options={
                "ordering": ["connection", "began_at", "id"],
            },
        ),
        migrations.AddIndex(
            model_name="tokenrefresh",
            index=models.Index(
                condition=models.Q(("outcome__in", ["transient", "throttled", "postponed"])),
                fields=["started_at"],
                name="refresh_failed_at_amazon",
            ),
        ),
        migrations.AddField(
            model_name="connectionperiod",
            name="connection",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="periods",
                to="tokens.connection",
            ),
        ),
        migrations.AddIndex(
            model_name="connectionperiod",
            index=models.Index(fields=["connection", "began_at", "id"], name="period_of_connection"),
        ),
        migrations.AddConstraint(
            model_name="connectionperiod",
            constraint=models.CheckConstraint(
                condition=models.Q(("state__in", ["active", "reauthorization_required", "disconnected"])),
                name="period_state_is_known",
            ),
        ),
        *(migrations.RunSQL((SQL / file).read_text(encoding="utf-8"), undo) for file, undo in FILES.items()),
        migrations.RunSQL(BEGIN_NOW, migrations.RunSQL.noop),
    ]
