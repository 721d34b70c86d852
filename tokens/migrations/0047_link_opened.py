"""When the page of a client link was first shown."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("tokens", "0046_team_reminders"),
    ]

    operations = [
        migrations.AddField(
            model_name="connectlink",
            name="opened_at",
            field=models.DateTimeField(blank=True, null=True),
        ),
    ]
