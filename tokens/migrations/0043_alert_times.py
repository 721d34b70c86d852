"""When people get mail about alerts."""

import django.db.models.deletion
import django.db.models.functions.datetime
import uuid_utils.compat
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("auth", "0012_alter_user_first_name_max_length"),
        ("tokens", "0042_team_logo"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="AlertTimes",
            fields=[
                (
                    "user",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="+",
                        serialize=False,
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                ("zone", models.CharField(max_length=64)),
                ("quiet_from", models.TimeField(blank=True, null=True)),
                ("quiet_until", models.TimeField(blank=True, null=True)),
                ("digest_at", models.TimeField(blank=True, null=True)),
                ("next_mail_at", models.DateTimeField(blank=True, null=True)),
                ("message_id", models.UUIDField(blank=True, null=True)),
                ("message_until", models.DateTimeField(blank=True, null=True)),
                ("tries", models.PositiveIntegerField(default=0)),
                ("told_until", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
            ],
            options={
                "verbose_name_plural": "alert times",
                "indexes": [
                    models.Index(
                        condition=models.Q(("next_mail_at__isnull", False)),
                        fields=["next_mail_at"],
                        name="alert_mail_due",
                    )
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("quiet_from__isnull", True), ("quiet_until__isnull", True)),
                            models.Q(
                                ("quiet_from__isnull", False),
                                ("quiet_until__isnull", False),
                                models.Q(("quiet_from", models.F("quiet_until")), _negated=True),
                            ),
                            _connector="OR",
                        ),
                        name="quiet_hours_begin_and_end",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("digest_at__isnull", True), ("next_mail_at__isnull", False), _connector="OR"
                        ),
                        name="daily_mail_has_a_next_time",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("message_id__isnull", True), ("message_until__isnull", True)),
                            models.Q(("message_id__isnull", False), ("message_until__isnull", False)),
                            _connector="OR",
                        ),
                        name="mail_of_alerts_has_an_end",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="WaitingAlert",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=uuid_utils.compat.uuid7, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("created_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                (
                    "alert",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="+", to="tokens.alert"
                    ),
                ),
                (
                    "user",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("user", "alert"), name="alert_waits_once_for_a_person")
                ],
            },
        ),
    ]
