"""Whether contacts of a team get reminders before a consent ends."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("tokens", "0045_renewal_mails"),
    ]

    operations = [
        migrations.AddField(
            model_name="team",
            name="sends_reminders",
            field=models.BooleanField(
                db_default=True,
                default=True,
                help_text="To the contacts of its connections, before a consent ends",
            ),
        ),
    ]
