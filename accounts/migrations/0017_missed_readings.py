from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("accounts", "0016_postponed_at")]

    operations = [
        migrations.AddField(
            "accountaccess", "missed_readings", models.PositiveSmallIntegerField(db_default=0, default=0)
        ),
    ]
