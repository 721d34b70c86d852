"""What the watcher remembers, and alerts about many connections."""

import django.contrib.postgres.fields
import django.db.models.deletion
import django.db.models.functions.datetime
import uuid_utils.compat
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("tokens", "0040_client_links"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="Failure",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=uuid_utils.compat.uuid7, editable=False, primary_key=True, serialize=False
                    ),
                ),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("login", "Login"),
                            ("many_logins", "many logins at once"),
                            ("service", "a part of the console"),
                        ],
                        max_length=16,
                    ),
                ),
                ("subject", models.CharField(max_length=64)),
                ("began_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                (
                    "logins",
                    models.PositiveIntegerField(default=0, help_text="How many logins failed at most"),
                ),
                (
                    "told_at",
                    models.DateTimeField(
                        blank=True, help_text="When people were told that it lasts", null=True
                    ),
                ),
                ("ended_at", models.DateTimeField(blank=True, null=True)),
            ],
            options={
                "ordering": ["-began_at", "-id"],
            },
        ),
        migrations.CreateModel(
            name="Watch",
            fields=[
                ("id", models.SmallIntegerField(default=1, primary_key=True, serialize=False)),
                ("looked_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                (
                    "called_at",
                    models.DateTimeField(
                        blank=True, help_text="When HEARTBEAT_URL was called last", null=True
                    ),
                ),
                ("full_disk_told_at", models.DateTimeField(blank=True, null=True)),
            ],
        ),
        migrations.AddField(
            model_name="alert",
            name="team_ids",
            field=django.contrib.postgres.fields.ArrayField(
                base_field=models.UUIDField(),
                blank=True,
                db_default=[],
                default=list,
                editable=False,
                size=None,
            ),
        ),
        migrations.AlterField(
            model_name="alert",
            name="kind",
            field=models.CharField(
                choices=[
                    ("connection_broken", "Connection Broken"),
                    ("connection_healed", "Connection Healed"),
                    ("application_refused", "Application Refused"),
                    ("application_accepted", "application accepted again"),
                    ("consent_ending", "Consent Ending"),
                    ("account_suspended", "Account Suspended"),
                    ("account_restored", "Account Restored"),
                    ("suspension_announced", "Suspension Announced"),
                    ("payment_method_ending", "Payment Method Ending"),
                    ("api_key_ending", "API key ending"),
                    ("webhook_switched_off", "Webhook Switched Off"),
                    ("connection_failing", "Connection Failing"),
                    ("connection_working", "Connection Working"),
                    ("many_failing", "many logins failing"),
                    ("many_working", "many logins working"),
                    ("service_failing", "console failing"),
                    ("service_working", "console working"),
                ],
                max_length=32,
            ),
        ),
        migrations.AlterField(
            model_name="mutedalertkind",
            name="kind",
            field=models.CharField(
                choices=[
                    ("connection_broken", "Connection Broken"),
                    ("connection_healed", "Connection Healed"),
                    ("application_refused", "Application Refused"),
                    ("application_accepted", "application accepted again"),
                    ("consent_ending", "Consent Ending"),
                    ("account_suspended", "Account Suspended"),
                    ("account_restored", "Account Restored"),
                    ("suspension_announced", "Suspension Announced"),
                    ("payment_method_ending", "Payment Method Ending"),
                    ("api_key_ending", "API key ending"),
                    ("webhook_switched_off", "Webhook Switched Off"),
                    ("connection_failing", "Connection Failing"),
                    ("connection_working", "Connection Working"),
                    ("many_failing", "many logins failing"),
                    ("many_working", "many logins working"),
                    ("service_failing", "console failing"),
                    ("service_working", "console working"),
                ],
                max_length=32,
            ),
        ),
        migrations.AddIndex(
            model_name="connection",
            index=models.Index(
                condition=models.Q(("state", "active"), models.Q(("sync_error", ""), _negated=True)),
                fields=["client_id"],
                name="connection_sync_failing",
            ),
        ),
        migrations.AddField(
            model_name="failure",
            name="connection",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="tokens.connection",
            ),
        ),
        migrations.AddConstraint(
            model_name="watch",
            constraint=models.CheckConstraint(condition=models.Q(("id", 1)), name="one_watch"),
        ),
        migrations.AddIndex(
            model_name="failure",
            index=models.Index(fields=["ended_at"], name="failure_by_end"),
        ),
        migrations.AddConstraint(
            model_name="failure",
            constraint=models.UniqueConstraint(
                condition=models.Q(("ended_at__isnull", True)),
                fields=("kind", "subject"),
                name="one_lasting_failure_per_subject",
            ),
        ),
        migrations.AddConstraint(
            model_name="failure",
            constraint=models.CheckConstraint(
                condition=models.Q(("kind__in", ["login", "many_logins", "service"])),
                name="failure_kind_is_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="failure",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("connection__isnull", False), ("kind", "login")),
                    models.Q(models.Q(("kind", "login"), _negated=True), ("connection__isnull", True)),
                    _connector="OR",
                ),
                name="failure_of_a_login_has_a_connection",
            ),
        ),
    ]
