from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("tokens", "0018_api_keys"),
    ]

    operations = [
        migrations.AlterField(
            model_name="alert",
            name="kind",
            field=models.CharField(
                choices=[
                    ("connection_broken", "Connection Broken"),
                    ("connection_healed", "Connection Healed"),
                    ("application_refused", "Application Refused"),
                    ("application_accepted", "application accepted again"),
                    ("consent_ending", "Consent Ending"),
                    ("account_suspended", "Account Suspended"),
                    ("account_restored", "Account Restored"),
                    ("suspension_announced", "Suspension Announced"),
                    ("payment_method_ending", "Payment Method Ending"),
                    ("api_key_ending", "API key ending"),
                ],
                max_length=32,
            ),
        ),
    ]
