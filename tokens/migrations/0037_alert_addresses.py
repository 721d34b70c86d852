"""Addresses of a team that get its alerts."""

import django.db.models.deletion
import django.db.models.functions.datetime
import django.db.models.functions.text
import uuid_utils.compat
from django.db import migrations, models

import tokens.encryption.fields


class Migration(migrations.Migration):
    dependencies = [
        ("tokens", "0036_webhooks"),
    ]

    operations = [
        migrations.CreateModel(
            name="AlertAddress",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=uuid_utils.compat.uuid7, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("name", models.CharField(help_text="By which people recognise the address", max_length=100)),
                ("service", models.CharField(max_length=32)),
                ("address", tokens.encryption.fields.EncryptedTextField()),
                ("created_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
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
                "verbose_name_plural": "alert addresses",
                "ordering": ["name", "id"],
                "permissions": [("manage_alert_addresses", "Can manage the addresses for alerts of a team")],
                "constraints": [
                    models.UniqueConstraint(
                        models.F("team"),
                        django.db.models.functions.text.Lower("name"),
                        name="one_alert_address_per_team_and_name",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("name", ""), _negated=True), name="alert_address_has_a_name"
                    ),
                ],
            },
        ),
    ]
