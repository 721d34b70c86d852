"""Indexes of the page of activity. Syncs and changes are written meanwhile."""

from django.conf import settings
from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    # Building an index concurrently cannot be part of a transaction.
    atomic = False

    dependencies = [
        ("accounts", "0032_causes_of_failures"),
        ("tokens", "0048_activity"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        AddIndexConcurrently(
            model_name="accountchange",
            index=models.Index(
                condition=models.Q(("kind", "name")), fields=["changed_at", "id"], name="change_of_name"
            ),
        ),
        AddIndexConcurrently(
            model_name="accountchange",
            index=models.Index(
                condition=models.Q(("changed_by__isnull", False)),
                fields=["changed_at", "id"],
                name="change_by_person",
            ),
        ),
        AddIndexConcurrently(
            model_name="syncrun",
            index=models.Index(
                condition=models.Q(("state__in", ["failed", "partial"])),
                fields=["-created_at", "-id"],
                name="sync_failed_by_time",
            ),
        ),
    ]
