"""A team for each account, which a migration of tokens fills in."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("accounts", "0022_figures"), ("tokens", "0020_teams")]

    operations = [
        migrations.AddField(
            model_name="account",
            name="team",
            field=models.ForeignKey(
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="amazon_accounts",
                to="tokens.team",
            ),
        ),
    ]
