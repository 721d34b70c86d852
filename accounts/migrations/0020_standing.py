"""Store whether accounts can advertise, by what Amazon says about their billing."""

from pathlib import Path

import django.contrib.postgres.fields
import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

APP = Path(__file__).parents[1]
# accounts_find_standing calls accounts_find_suspension. The functions stay when this migration is undone.
FUNCTIONS = [
    "standing/sql/functions/accounts_find_suspension.sql",
    "standing/sql/functions/accounts_find_standing.sql",
    "standing/sql/functions/accounts_find_status.sql",
    "models/sql/functions/accounts_note_account_changes.sql",
    "models/sql/triggers/note_account_changes.sql",
]

# In the order in which a sync takes them: a lock that is taken later could end in a deadlock.
LOCK = """
LOCK TABLE tokens_connection IN SHARE ROW EXCLUSIVE MODE;
LOCK TABLE user_accounts, accounts_profile, accounts_accountchange IN ACCESS EXCLUSIVE MODE;
"""


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0019_database_clock"),
        ("tokens", "0014_scheduler_lead"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.RunSQL(LOCK, migrations.RunSQL.noop),
        migrations.RemoveConstraint(
            model_name="accountchange",
            name="change_kind_is_known",
        ),
        migrations.AddField(
            model_name="account",
            name="standing",
            field=models.CharField(
                choices=[
                    ("suspended", "Suspended"),
                    ("at_risk", "at risk"),
                    ("set_up", "billing not set up"),
                    ("good", "Good"),
                    ("unknown", "Unknown"),
                ],
                db_default="unknown",
                default="unknown",
                max_length=10,
            ),
        ),
        migrations.AddField(
            model_name="account",
            name="suspended_in",
            field=django.contrib.postgres.fields.ArrayField(
                base_field=models.TextField(),
                blank=True,
                db_default=[],
                default=list,
                help_text="Countries where Amazon stopped it",
                size=None,
            ),
        ),
        migrations.AddField(
            model_name="account",
            name="suspension_at",
            field=models.DateTimeField(
                blank=True, help_text="The earliest suspension that Amazon announces", null=True
            ),
        ),
        migrations.AddField(
            model_name="profile",
            name="billing_asked_at",
            field=models.DateTimeField(blank=True, help_text="When Amazon told the code", null=True),
        ),
        migrations.AddField(
            model_name="profile",
            name="billing_connection",
            field=models.ForeignKey(
                blank=True,
                db_index=False,
                help_text="The login that Amazon told",
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="tokens.connection",
            ),
        ),
        migrations.AddField(
            model_name="profile",
            name="billing_message",
            field=models.TextField(blank=True, db_default="", default=""),
        ),
        migrations.AddField(
            model_name="profile",
            name="billing_refusals",
            field=models.JSONField(blank=True, db_default={}, default=dict, editable=False),
        ),
        migrations.AddField(
            model_name="profile",
            name="billing_status",
            field=models.TextField(blank=True, db_default="", default="", help_text="Amazon's code"),
        ),
        migrations.AddField(
            model_name="profile",
            name="notices",
            field=models.JSONField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name="profile",
            name="notices_asked_at",
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name="profile",
            name="standing",
            field=models.CharField(
                choices=[
                    ("suspended", "Suspended"),
                    ("at_risk", "at risk"),
                    ("set_up", "billing not set up"),
                    ("good", "Good"),
                    ("unknown", "Unknown"),
                ],
                db_default="unknown",
                default="unknown",
                max_length=10,
            ),
        ),
        migrations.AddField(
            model_name="profile",
            name="suspension_at",
            field=models.DateTimeField(
                blank=True, help_text="The earliest suspension that Amazon announces", null=True
            ),
        ),
        migrations.AlterField(
            model_name="accountchange",
            name="kind",
            field=models.CharField(
                choices=[
                    ("name", "Name"),
                    ("status", "Status"),
                    ("standing", "Standing"),
                    ("countries", "Countries"),
                    ("errors", "errors at Amazon"),
                    ("payment", "payment method"),
                    ("appeared", "appeared again"),
                    ("vanished", "Vanished"),
                ],
                max_length=12,
            ),
        ),
        migrations.AddIndex(
            model_name="account",
            index=models.Index(
                condition=models.Q(("standing__in", ["suspended", "at_risk", "set_up"])),
                fields=["standing", "suspension_at", "id"],
                name="account_trouble",
            ),
        ),
        migrations.AddConstraint(
            model_name="account",
            constraint=models.CheckConstraint(
                condition=models.Q(("standing__in", ["suspended", "at_risk", "set_up", "good", "unknown"])),
                name="account_standing_is_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="accountchange",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    (
                        "kind__in",
                        [
                            "name",
                            "status",
                            "standing",
                            "countries",
                            "errors",
                            "payment",
                            "appeared",
                            "vanished",
                        ],
                    )
                ),
                name="change_kind_is_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="profile",
            constraint=models.CheckConstraint(
                condition=models.Q(("standing__in", ["suspended", "at_risk", "set_up", "good", "unknown"])),
                name="profile_standing_is_known",
            ),
        ),
        *(
            migrations.RunSQL((APP / file).read_text(encoding="utf-8"), migrations.RunSQL.noop)
            for file in FUNCTIONS
        ),
    ]
