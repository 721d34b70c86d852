"""Which batches a key of a team started: who made the key sees them no longer than their team lets them."""

from django.db import migrations, models

# Keys that were revoked since are not known any more.
FILL = """
UPDATE accounts_batchoperation batch
   SET by_team_key = true
  FROM tokens_auditentry entry
  JOIN tokens_apikey key ON key.id::text = entry.key_id AND key.user_id IS NULL
 WHERE entry.action = 'batch.start' AND entry.object_id = batch.id::text;
"""


class Migration(migrations.Migration):
    dependencies = [("accounts", "0026_write_events"), ("tokens", "0026_limits_of_keys")]

    operations = [
        migrations.AddField(
            model_name="batchoperation",
            name="by_team_key",
            field=models.BooleanField(db_default=False, default=False, editable=False),
        ),
        migrations.RunSQL(FILL, migrations.RunSQL.noop),
    ]
