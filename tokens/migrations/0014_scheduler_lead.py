import django.db.models.functions.datetime
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("tokens", "0013_identity_pending"),
    ]

    operations = [
        migrations.CreateModel(
            name="SchedulerLead",
            fields=[
                ("id", models.SmallIntegerField(default=1, primary_key=True, serialize=False)),
                ("term", models.BigIntegerField()),
                (
                    "leader",
                    models.CharField(
                        help_text="The application_name of the leader's sessions", max_length=63
                    ),
                ),
                ("seen_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
            ],
            options={
                "constraints": [
                    models.CheckConstraint(condition=models.Q(("id", 1)), name="one_scheduler_leads")
                ],
            },
        ),
    ]
