"""Let connections be searched, labelled, sorted and paused."""

import django.contrib.postgres.indexes
import django.db.models.functions.text
from django.conf import settings
from django.db import migrations, models

import amazon_accounts.postgresql.trigrams


class Migration(migrations.Migration):
    dependencies = [
        # The function account_trigrams.
        ("accounts", "0012_functions"),
        ("tokens", "0037_alert_addresses"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.RemoveConstraint(
            model_name="connection",
            name="forgotten_connection_names_nobody",
        ),
        migrations.AddField(
            model_name="connection",
            name="contact_email",
            field=models.EmailField(
                blank=True,
                db_default="",
                default="",
                help_text="Whom to ask to renew the login",
                max_length=254,
            ),
        ),
        migrations.AddField(
            model_name="connection",
            name="labels",
            field=models.JSONField(blank=True, db_default={}, default=dict, help_text="What operators say"),
        ),
        migrations.AddField(
            model_name="connection",
            name="paused",
            field=models.BooleanField(db_default=False, default=False),
        ),
        migrations.AddField(
            model_name="connection",
            name="request_numbers",
            field=models.JSONField(blank=True, db_default={}, default=dict, editable=False),
        ),
        migrations.AddField(
            model_name="connection",
            name="search_text",
            field=models.GeneratedField(
                db_persist=True,
                expression=django.db.models.functions.text.Lower(
                    django.db.models.functions.text.Concat(
                        "label",
                        models.Value("\n"),
                        "amazon_user_email",
                        models.Value("\n"),
                        "amazon_user_name",
                        models.Value("\n"),
                        "amazon_user_id",
                        models.Value("\n"),
                        "contact_email",
                        output_field=models.TextField(),
                    )
                ),
                output_field=models.TextField(),
            ),
        ),
        migrations.AddIndex(
            model_name="connection",
            index=models.Index(fields=["label", "id"], name="connection_label"),
        ),
        migrations.AddIndex(
            model_name="connection",
            index=models.Index(fields=["last_synced_at", "id"], name="connection_last_synced"),
        ),
        migrations.AddIndex(
            model_name="connection",
            index=models.Index(fields=["expires_at", "id"], name="connection_expires"),
        ),
        migrations.AddIndex(
            model_name="connection",
            index=models.Index(fields=["consented_at", "id"], name="connection_consented"),
        ),
        migrations.AddIndex(
            model_name="connection",
            index=models.Index(fields=["state", "label", "id"], name="connection_state_label"),
        ),
        migrations.AddIndex(
            model_name="connection",
            index=models.Index(
                condition=models.Q(("paused", True)), fields=["label", "id"], name="connection_paused"
            ),
        ),
        migrations.AddIndex(
            model_name="connection",
            index=django.contrib.postgres.indexes.GinIndex(
                fields=["labels"],
                gin_pending_list_limit=256,
                name="connection_labels",
                opclasses=["jsonb_path_ops"],
            ),
        ),
        migrations.AddIndex(
            model_name="connection",
            index=django.contrib.postgres.indexes.GinIndex(
                amazon_accounts.postgresql.trigrams.Trigrams("search_text"),
                gin_pending_list_limit=256,
                name="connection_search",
            ),
        ),
        migrations.AddConstraint(
            model_name="connection",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("forgotten_at__isnull", True),
                    models.Q(
                        ("amazon_user_email", ""),
                        ("amazon_user_id__isnull", True),
                        ("amazon_user_name", ""),
                        ("contact_email", ""),
                        ("state", "disconnected"),
                    ),
                    _connector="OR",
                ),
                name="forgotten_connection_names_nobody",
            ),
        ),
    ]
