import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("tokens", "0021_fill_teams"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AlterField(
            model_name="connection",
            name="team",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="connections",
                to="tokens.team",
            ),
        ),
        migrations.AlterField(
            model_name="connection",
            name="owner",
            field=models.ForeignKey(
                help_text="The person responsible",
                on_delete=django.db.models.deletion.PROTECT,
                related_name="connections",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.RemoveConstraint(
            model_name="connection", name="one_connection_per_owner_client_and_login"
        ),
        migrations.RemoveIndex(model_name="connection", name="connection_of_owner"),
        migrations.AddConstraint(
            model_name="connection",
            constraint=models.UniqueConstraint(
                condition=models.Q(("state", "disconnected"), _negated=True),
                fields=("team", "client_id", "amazon_user_id"),
                name="one_connection_per_team_client_and_login",
            ),
        ),
        migrations.AddIndex(
            model_name="connection",
            index=models.Index(fields=["team", "label", "id"], name="connection_of_team"),
        ),
    ]
