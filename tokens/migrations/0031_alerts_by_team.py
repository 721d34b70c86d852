"""Say which API key an alert is about, and keep who took a message in rows of their own.

The column taken_by stays in the database, because processes of the version before still write to it during an upgrade. A
later version drops it.
"""

import django.db.models.deletion
import uuid_utils.compat
from django.db import migrations, models
from django.db.models.functions import Now

# Django makes no constraint that deletes.
ADD_CONSTRAINT = """
    ALTER TABLE tokens_alert
      ADD CONSTRAINT alert_ends_with_its_api_key
          FOREIGN KEY (api_key_id) REFERENCES tokens_apikey (id) ON DELETE CASCADE
"""


class Migration(migrations.Migration):
    dependencies = [
        ("tokens", "0030_audit_mail"),
    ]

    operations = [
        migrations.CreateModel(
            name="AlertDelivery",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=uuid_utils.compat.uuid7, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("message_id", models.UUIDField()),
                ("recipient", models.CharField(max_length=100)),
                ("taken_at", models.DateTimeField(db_default=Now())),
            ],
            options={
                "verbose_name_plural": "alert deliveries",
                "indexes": [models.Index(fields=["taken_at"], name="alert_delivery_by_age")],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("message_id", "recipient"), name="recipient_takes_a_message_once"
                    )
                ],
            },
        ),
        migrations.AddField(
            model_name="alert",
            name="api_key",
            field=models.ForeignKey(
                blank=True,
                db_constraint=False,
                null=True,
                on_delete=django.db.models.deletion.DO_NOTHING,
                related_name="+",
                to="tokens.apikey",
            ),
        ),
        migrations.RunSQL(ADD_CONSTRAINT, migrations.RunSQL.noop),
        migrations.AlterField(
            model_name="alert",
            name="told_at",
            field=models.DateTimeField(
                blank=True, help_text="When the first of several recipients took it", null=True
            ),
        ),
        migrations.AddConstraint(
            model_name="alert",
            constraint=models.CheckConstraint(
                condition=models.Q(("connection__isnull", True), ("api_key__isnull", True), _connector="OR"),
                name="alert_is_about_one_thing",
            ),
        ),
        migrations.SeparateDatabaseAndState(
            state_operations=[migrations.RemoveField(model_name="alert", name="taken_by")]
        ),
    ]
