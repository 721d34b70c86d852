"""Let people turn off mail about kinds of alerts."""

import django.db.models.deletion
import uuid_utils.compat
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("tokens", "0033_chosen_team"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="MutedAlertKind",
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
                        ],
                        max_length=32,
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
                    models.UniqueConstraint(fields=("user", "kind"), name="person_mutes_a_kind_once")
                ],
            },
        ),
    ]
