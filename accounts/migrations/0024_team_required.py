import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

OLD_INDEXES = [
    "account_user_name",
    "account_user_status",
    "account_user_connection",
    "account_user_status_name",
    "account_user",
]
NEW_INDEXES = {
    "account_team_name": ["team", "name", "id"],
    "account_team_status": ["team", "status", "id"],
    "account_team_connection": ["team", "connection", "id"],
    "account_team_status_name": ["team", "status", "name", "id"],
    "account_team": ["team", "id"],
}


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0023_team"),
        ("tokens", "0021_fill_teams"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AlterField(
            model_name="account",
            name="team",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="amazon_accounts",
                to="tokens.team",
            ),
        ),
        migrations.AlterField(
            model_name="account",
            name="user",
            field=models.ForeignKey(
                db_index=False,
                help_text="Who connected it",
                on_delete=django.db.models.deletion.PROTECT,
                related_name="amazon_accounts",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.RemoveConstraint(model_name="account", name="one_account_per_user_and_amazon_id"),
        migrations.RemoveConstraint(model_name="account", name="one_default_account_per_user"),
        *(migrations.RemoveIndex(model_name="account", name=name) for name in OLD_INDEXES),
        migrations.AddConstraint(
            model_name="account",
            constraint=models.UniqueConstraint(
                fields=("team", "amazon_account_id"), name="one_account_per_team_and_amazon_id"
            ),
        ),
        migrations.AddConstraint(
            model_name="account",
            constraint=models.UniqueConstraint(
                condition=models.Q(("is_default", True)),
                fields=("team",),
                name="one_default_account_per_team",
            ),
        ),
        *(
            migrations.AddIndex(model_name="account", index=models.Index(fields=fields, name=name))
            for name, fields in NEW_INDEXES.items()
        ),
    ]
