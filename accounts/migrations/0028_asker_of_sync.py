"""By which key a sync was asked for, and whether the right of who asked is checked again when it begins."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("accounts", "0027_batch_by_team_key")]

    operations = [
        migrations.AddField(
            model_name="syncrun",
            name="asked_by_key",
            field=models.UUIDField(blank=True, editable=False, null=True),
        ),
        migrations.AddField(
            model_name="syncrun",
            name="checks_asker",
            field=models.BooleanField(db_default=False, default=False, editable=False),
        ),
    ]
