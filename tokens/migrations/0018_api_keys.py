"""Store API keys in a table of our own. The keys that django-rest-knox made go on working until they expire."""

from datetime import timedelta
from pathlib import Path

import django.db.models.deletion
import django.db.models.functions.datetime
import uuid_utils.compat
from django.conf import settings
from django.db import migrations, models

SQL = Path(__file__).parents[1] / "people" / "sql"

# django-rest-knox is not installed any more, so a new database has no table of it. Its digests are digests of ours.
TAKE_KEYS_OVER = """
    DO $$ BEGIN
        IF to_regclass('knox_authtoken') IS NOT NULL THEN
            INSERT INTO tokens_apikey (id, name, beginning, digest, user_id, created_at, expires_at)
            SELECT gen_random_uuid(), 'Made before keys had names', left(token_key, 12), digest, user_id, created, expiry
            FROM knox_authtoken WHERE expiry IS NOT NULL;
            DROP TABLE knox_authtoken;
        END IF;
    END $$
"""
GIVE_KEYS_BACK = """
    CREATE TABLE knox_authtoken (
        digest varchar(128) PRIMARY KEY,
        created timestamptz NOT NULL,
        user_id integer NOT NULL REFERENCES auth_user DEFERRABLE INITIALLY DEFERRED,
        expiry timestamptz,
        token_key varchar(25) NOT NULL
    );
    CREATE INDEX ON knox_authtoken (token_key);
    CREATE INDEX ON knox_authtoken (user_id);
    INSERT INTO knox_authtoken (digest, created, user_id, expiry, token_key)
    SELECT digest, created_at, user_id, expires_at, beginning FROM tokens_apikey;
"""
# The admin's log names keys by their content type, and groups have permissions on it.
RENAME_CONTENT_TYPE = """
    UPDATE auth_permission SET codename = replace(codename, '{old_model}', '{new_model}')
    FROM django_content_type kind
    WHERE kind.id = content_type_id AND kind.app_label = '{old_app}' AND kind.model = '{old_model}';
    UPDATE django_content_type SET app_label = '{new_app}', model = '{new_model}'
    WHERE app_label = '{old_app}' AND model = '{old_model}';
"""
OLD = {"old_app": "knox", "old_model": "authtoken"}
NEW = {"new_app": "tokens", "new_model": "apikey"}


class Migration(migrations.Migration):
    dependencies = [
        ("auth", "0012_alter_user_first_name_max_length"),
        ("contenttypes", "0002_remove_content_type_name"),
        ("tokens", "0017_alert_kinds"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="ApiKey",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=uuid_utils.compat.uuid7, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("name", models.CharField(help_text="What the key is for", max_length=100)),
                (
                    "beginning",
                    models.CharField(
                        editable=False,
                        help_text="The first characters, by which people recognise the key",
                        max_length=16,
                    ),
                ),
                ("digest", models.CharField(editable=False, max_length=128, unique=True)),
                (
                    "created_at",
                    models.DateTimeField(db_default=django.db.models.functions.datetime.Now()),
                ),
                ("expires_at", models.DateTimeField()),
                (
                    "last_used_at",
                    models.DateTimeField(blank=True, help_text="Exact to one minute", null=True),
                ),
                ("last_used_from", models.GenericIPAddressField(blank=True, null=True)),
                ("hand_out_clock", models.DateTimeField(blank=True, editable=False, null=True)),
                (
                    "created_by",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "user",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "verbose_name": "API key",
                "ordering": ["-created_at", "-id"],
                "indexes": [models.Index(fields=["expires_at"], name="api_key_by_end")],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            ("expires_at__lte", models.F("created_at") + timedelta(days=365)),
                            models.Q(("beginning__startswith", "aak_"), _negated=True),
                            _connector="OR",
                        ),
                        name="api_key_lives_one_year_at_most",
                    )
                ],
            },
        ),
        migrations.RunSQL(TAKE_KEYS_OVER, GIVE_KEYS_BACK),
        migrations.RunSQL(
            RENAME_CONTENT_TYPE.format(**OLD, **NEW),
            RENAME_CONTENT_TYPE.format(
                old_app="tokens", old_model="apikey", new_app="knox", new_model="authtoken"
            ),
        ),
        migrations.RunSQL(
            (SQL / "functions/tokens_end_access.sql").read_text(encoding="utf-8"),
            "DROP FUNCTION tokens_end_access",
        ),
        migrations.RunSQL(
            (SQL / "triggers/end_access.sql").read_text(encoding="utf-8"),
            "DROP TRIGGER end_access ON auth_user",
        ),
    ]
