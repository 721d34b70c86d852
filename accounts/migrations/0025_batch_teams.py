"""The teams whose accounts a batch has: who may see all of them sees the batch."""

from django.contrib.postgres.fields import ArrayField
from django.db import migrations, models

FILL = """
UPDATE accounts_batchoperation batch
   SET team_ids = found.team_ids
  FROM (SELECT item.batch_id, array_agg(DISTINCT account.team_id) AS team_ids
          FROM accounts_batchitem item
          JOIN user_accounts account ON account.id = item.account_id
         GROUP BY item.batch_id) found
 WHERE found.batch_id = batch.id;
"""


class Migration(migrations.Migration):
    dependencies = [("accounts", "0024_team_required")]

    operations = [
        migrations.AddField(
            model_name="batchoperation",
            name="team_ids",
            field=ArrayField(
                base_field=models.UUIDField(), db_default=[], default=list, editable=False, size=None
            ),
        ),
        migrations.RunSQL(FILL, migrations.RunSQL.noop),
        migrations.AlterModelOptions(
            name="account",
            options={
                "ordering": ["name", "id"],
                "permissions": [
                    ("sync_account", "Can sync accounts"),
                    ("disconnect_account", "Can disconnect and reconnect accounts"),
                    ("update_account", "Can change labels and settings of accounts"),
                ],
            },
        ),
    ]
