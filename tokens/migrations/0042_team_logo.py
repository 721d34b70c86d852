"""The logo of a team."""

import django.db.models.deletion
import django.db.models.functions.text
import django.db.models.lookups
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("tokens", "0041_failures"),
    ]

    operations = [
        migrations.CreateModel(
            name="TeamLogo",
            fields=[
                (
                    "team",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="+",
                        serialize=False,
                        to="tokens.team",
                    ),
                ),
                ("png", models.BinaryField(max_length=262144)),
            ],
            options={
                "constraints": [
                    models.CheckConstraint(
                        condition=django.db.models.lookups.LessThanOrEqual(
                            django.db.models.functions.text.Length("png"), 262144
                        ),
                        name="team_logo_is_small",
                    )
                ],
            },
        ),
    ]
