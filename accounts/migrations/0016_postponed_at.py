from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("accounts", "0015_request_numbers")]

    operations = [
        migrations.AddField(
            "syncrun",
            "postponed_at",
            models.DateTimeField(
                blank=True, help_text="When Amazon asked to wait for the first time", null=True
            ),
        ),
    ]
