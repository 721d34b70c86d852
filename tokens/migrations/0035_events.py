import django.db.models.deletion
import django.db.models.functions.datetime
import uuid_utils.compat
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("tokens", "0034_muted_alerts"),
    ]

    operations = [
        migrations.RunSQL("CREATE SEQUENCE tokens_event_order", "DROP SEQUENCE tokens_event_order"),
        migrations.CreateModel(
            name="Event",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=uuid_utils.compat.uuid7, editable=False, primary_key=True, serialize=False
                    ),
                ),
                (
                    "type",
                    models.CharField(
                        choices=[
                            ("connection.connected", "Connection Connected"),
                            ("connection.broken", "Connection Broken"),
                            ("connection.healed", "Connection Healed"),
                            ("connection.disconnected", "Connection Disconnected"),
                            ("connection.consent_ending", "Connection Consent Ending"),
                            ("account.appeared", "Account Appeared"),
                            ("account.not_visible", "Account Not Visible"),
                            ("account.suspended", "Account Suspended"),
                            ("account.restored", "Account Restored"),
                            ("account.suspension_announced", "Account Suspension Announced"),
                            ("sync.ended", "Sync Ended"),
                            ("batch.ended", "Batch Ended"),
                        ],
                        max_length=64,
                    ),
                ),
                ("object_id", models.UUIDField()),
                ("connection_id", models.UUIDField(blank=True, null=True)),
                ("created_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                (
                    "written",
                    models.BigIntegerField(
                        db_default=models.Func(
                            models.Value("tokens_event_order"),
                            function="nextval",
                            output_field=models.BigIntegerField(),
                        )
                    ),
                ),
                ("number", models.BigIntegerField(blank=True, null=True, unique=True)),
                ("data", models.JSONField()),
                (
                    "team",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="tokens.team",
                    ),
                ),
            ],
            options={
                "ordering": ["number"],
                "indexes": [
                    models.Index(fields=["team", "number"], name="event_of_team"),
                    models.Index(
                        condition=models.Q(("number", None)), fields=["written"], name="event_to_place"
                    ),
                    models.Index(fields=["created_at"], name="event_by_age"),
                    models.Index(fields=["connection_id"], name="event_of_connection"),
                    models.Index(fields=["object_id"], name="event_of_object"),
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("type__regex", "^[a-z_]+\\.[a-z_]+$")),
                        name="event_type_is_an_object_and_a_verb",
                    )
                ],
            },
        ),
    ]
