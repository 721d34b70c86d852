"""Links by which clients connect and renew their logins."""

import datetime

import django.contrib.postgres.fields
import django.db.models.deletion
import django.db.models.expressions
import django.db.models.functions.datetime
import django.db.models.functions.text
import uuid_utils.compat
from django.conf import settings
from django.db import migrations, models

import tokens.models.connection


class Migration(migrations.Migration):
    dependencies = [
        ("tokens", "0039_request_clocks"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="ConnectLink",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=uuid_utils.compat.uuid7, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("label", models.CharField(max_length=200)),
                ("email", models.EmailField(blank=True, default="", max_length=254)),
                (
                    "language",
                    models.CharField(
                        choices=[
                            ("en", "English"),
                            ("de", "Deutsch"),
                            ("fr", "Français"),
                            ("es", "Español"),
                            ("it", "Italiano"),
                            ("ja", "日本語"),
                        ],
                        default="en",
                        help_text="Of the mail",
                        max_length=2,
                    ),
                ),
                (
                    "regions",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(
                            choices=[("NA", "North America"), ("EU", "Europe"), ("FE", "Far East")],
                            max_length=2,
                        ),
                        default=tokens.models.connection.all_regions,
                        size=None,
                    ),
                ),
                ("digest", models.CharField(editable=False, max_length=64, null=True, unique=True)),
                ("mailed_at", models.DateTimeField(blank=True, null=True)),
                ("created_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ("ends_at", models.DateTimeField()),
                ("revoked_at", models.DateTimeField(blank=True, null=True)),
                ("used_at", models.DateTimeField(blank=True, null=True)),
                ("browser_digest", models.CharField(blank=True, default="", editable=False, max_length=64)),
                (
                    "has_renewed",
                    models.BooleanField(
                        db_default=False,
                        default=False,
                        help_text="Whether the connection was there before the link was used",
                    ),
                ),
                (
                    "came_back_as",
                    models.TextField(
                        blank=True,
                        db_default="",
                        default="",
                        help_text="The other login with which the last try came back",
                    ),
                ),
                (
                    "connected",
                    models.ForeignKey(
                        blank=True,
                        help_text="Which one it gave",
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="tokens.connection",
                    ),
                ),
                (
                    "connection",
                    models.ForeignKey(
                        blank=True,
                        help_text="Which one to renew",
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="tokens.connection",
                    ),
                ),
                (
                    "owner",
                    models.ForeignKey(
                        help_text="Who made it, and will be responsible for what it connects",
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
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
                "ordering": ["-created_at", "-id"],
            },
        ),
        migrations.AddField(
            model_name="authorizationattempt",
            name="link",
            field=models.ForeignKey(
                blank=True,
                help_text="By which the visitor, who has no login here, came",
                null=True,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="attempts",
                to="tokens.connectlink",
            ),
        ),
        migrations.AddIndex(
            model_name="connectlink",
            index=models.Index(fields=["team", "-created_at", "-id"], name="connect_link_of_team"),
        ),
        migrations.AddIndex(
            model_name="connectlink",
            index=models.Index(
                django.db.models.functions.text.Upper("email"),
                models.F("created_at"),
                condition=models.Q(("email", ""), _negated=True),
                name="connect_link_by_address",
            ),
        ),
        migrations.AddIndex(
            model_name="connectlink",
            index=models.Index(fields=["ends_at"], name="connect_link_by_end"),
        ),
        migrations.AddConstraint(
            model_name="connectlink",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    (
                        "ends_at__lte",
                        django.db.models.expressions.CombinedExpression(
                            models.F("created_at"), "+", models.Value(datetime.timedelta(days=30))
                        ),
                    )
                ),
                name="connect_link_ends_in_time",
            ),
        ),
        migrations.AddConstraint(
            model_name="connectlink",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("browser_digest", ""), ("connected", None), ("used_at", None)),
                    models.Q(
                        ("connected__isnull", False),
                        ("used_at__isnull", False),
                        models.Q(("browser_digest", ""), _negated=True),
                    ),
                    _connector="OR",
                ),
                name="used_connect_link_has_a_connection",
            ),
        ),
        migrations.AddConstraint(
            model_name="connectlink",
            constraint=models.CheckConstraint(
                condition=models.Q(("used_at", None), ("revoked_at", None), _connector="OR"),
                name="used_connect_link_is_not_revoked",
            ),
        ),
        migrations.AddConstraint(
            model_name="connectlink",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("mailed_at", None),
                    models.Q(("digest__isnull", False), models.Q(("email", ""), _negated=True)),
                    _connector="OR",
                ),
                name="mailed_connect_link_has_a_digest",
            ),
        ),
        migrations.AddConstraint(
            model_name="connectlink",
            constraint=models.CheckConstraint(
                condition=models.Q(("regions__len__gt", 0), ("regions__contained_by", ["NA", "EU", "FE"])),
                name="connect_link_regions_are_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="connectlink",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    (
                        "language__in",
                        {
                            "de": "Deutsch",
                            "en": "English",
                            "es": "Español",
                            "fr": "Français",
                            "it": "Italiano",
                            "ja": "日本語",
                        },
                    )
                ),
                name="connect_link_language_is_known",
            ),
        ),
    ]
