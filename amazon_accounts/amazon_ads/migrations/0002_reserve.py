"""Empty: 0004_functions installs the function that this migration made."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("amazon_ads", "0001_initial")]

    operations = [
        migrations.RunSQL(
            migrations.RunSQL.noop,
            "DROP FUNCTION IF EXISTS"
            " amazon_ads_reserve(text, text, text, float8, float8, float8, interval, boolean)",
        ),
    ]
