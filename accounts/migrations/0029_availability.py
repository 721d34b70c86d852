"""Keep what the minutes of a month were, for each connection."""

import django.db.models.deletion
import django.db.models.expressions
import django.db.models.functions.datetime
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0028_asker_of_sync"),
        ("tokens", "0044_connection_periods"),
    ]

    operations = [
        migrations.CreateModel(
            name="Availability",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("month", models.DateField()),
                ("minutes", models.PositiveIntegerField()),
                ("token_valid", models.PositiveIntegerField()),
                ("lost_to_amazon", models.PositiveIntegerField()),
                ("lost_to_consent", models.PositiveIntegerField()),
                ("lost_to_us", models.PositiveIntegerField()),
                ("disconnected", models.PositiveIntegerField()),
                ("token_unknown", models.PositiveIntegerField()),
                ("sync_fresh", models.PositiveIntegerField()),
                ("sync_late", models.PositiveIntegerField()),
                ("sync_off", models.PositiveIntegerField()),
                ("sync_unknown", models.PositiveIntegerField()),
                ("late_after_seconds", models.PositiveIntegerField()),
                ("counted_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                (
                    "connection",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="availability",
                        to="tokens.connection",
                    ),
                ),
            ],
            options={
                "verbose_name_plural": "availability",
                "ordering": ["connection", "-month"],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("connection", "month"), name="one_availability_per_connection_and_month"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("month__day", 1)), name="availability_is_of_a_month"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("minutes__in", [40320, 41760, 43200, 44640])),
                        name="stored_availability_is_of_a_whole_month",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            (
                                "minutes",
                                django.db.models.expressions.CombinedExpression(
                                    django.db.models.expressions.CombinedExpression(
                                        django.db.models.expressions.CombinedExpression(
                                            django.db.models.expressions.CombinedExpression(
                                                django.db.models.expressions.CombinedExpression(
                                                    models.F("token_valid"), "+", models.F("lost_to_amazon")
                                                ),
                                                "+",
                                                models.F("lost_to_consent"),
                                            ),
                                            "+",
                                            models.F("lost_to_us"),
                                        ),
                                        "+",
                                        models.F("disconnected"),
                                    ),
                                    "+",
                                    models.F("token_unknown"),
                                ),
                            )
                        ),
                        name="minutes_of_the_token_add_up",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            (
                                "minutes",
                                django.db.models.expressions.CombinedExpression(
                                    django.db.models.expressions.CombinedExpression(
                                        django.db.models.expressions.CombinedExpression(
                                            models.F("sync_fresh"), "+", models.F("sync_late")
                                        ),
                                        "+",
                                        models.F("sync_off"),
                                    ),
                                    "+",
                                    models.F("sync_unknown"),
                                ),
                            )
                        ),
                        name="minutes_of_the_sync_add_up",
                    ),
                ],
            },
        ),
    ]
