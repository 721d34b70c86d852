import django.db.models.functions.datetime
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("amazon_ads", "0006_billing_request_form"),
    ]

    operations = [
        migrations.AlterField(
            model_name="applicationrefusal",
            name="last_refused_at",
            field=models.DateTimeField(db_default=django.db.models.functions.datetime.Now()),
        ),
        migrations.AlterField(
            model_name="applicationrefusal",
            name="probed_at",
            field=models.DateTimeField(db_default=django.db.models.functions.datetime.Now()),
        ),
        migrations.AlterField(
            model_name="applicationrefusal",
            name="refused_since",
            field=models.DateTimeField(db_default=django.db.models.functions.datetime.Now()),
        ),
        migrations.AlterField(
            model_name="ratelimit",
            name="probed_at",
            field=models.DateTimeField(
                db_default=django.db.models.functions.datetime.Now(),
                help_text="When the pace last changed after it had slowed.",
            ),
        ),
        migrations.AlterField(
            model_name="ratelimit",
            name="used_at",
            field=models.DateTimeField(db_default=django.db.models.functions.datetime.Now()),
        ),
    ]
