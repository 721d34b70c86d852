from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("tokens", "0012_sessions")]

    operations = [
        migrations.AddField(
            model_name="connection",
            name="is_identity_pending",
            field=models.BooleanField(db_default=False, default=False, editable=False),
        ),
    ]
