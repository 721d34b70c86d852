"""When people saw the page of activity, and indexes of events for it. Events are written meanwhile."""

import django.db.models.deletion
from django.conf import settings
from django.contrib.postgres.operations import AddIndexConcurrently, RemoveIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    # Building an index concurrently cannot be part of a transaction.
    atomic = False

    dependencies = [
        ("auth", "0012_alter_user_first_name_max_length"),
        ("tokens", "0047_link_opened"),
    ]

    operations = [
        migrations.CreateModel(
            name="ActivityVisit",
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
                ("seen_at", models.DateTimeField()),
                ("previous_at", models.DateTimeField(blank=True, null=True)),
            ],
        ),
        AddIndexConcurrently(
            model_name="event",
            index=models.Index(fields=["team", "type", "-created_at", "-id"], name="event_by_team_and_type"),
        ),
        AddIndexConcurrently(
            model_name="event",
            index=models.Index(
                fields=["connection_id", "type", "-created_at", "-id"], name="event_by_connection_and_type"
            ),
        ),
        RemoveIndexConcurrently(
            model_name="event",
            name="event_of_connection",
        ),
    ]
