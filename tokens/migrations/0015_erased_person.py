"""Remember who was erased, and let a trigger keep these people as the erasure left them."""

from pathlib import Path

import django.db.models.deletion
import django.db.models.functions.datetime
from django.conf import settings
from django.db import migrations, models

SQL = Path(__file__).parents[1] / "people" / "sql"
FILES = ["functions/tokens_keep_erased.sql", "triggers/keep_erased.sql"]


class Migration(migrations.Migration):
    dependencies = [
        ("tokens", "0014_scheduler_lead"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="ErasedPerson",
            fields=[
                (
                    "person",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        primary_key=True,
                        related_name="erasure",
                        serialize=False,
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                ("erased_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                (
                    "erased_by",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={"verbose_name_plural": "erased people"},
        ),
        *(
            migrations.RunSQL((SQL / file).read_text(encoding="utf-8"), undo)
            for file, undo in zip(
                FILES,
                ["DROP FUNCTION tokens_keep_erased", "DROP TRIGGER keep_erased ON auth_user"],
                strict=True,
            )
        ),
    ]
