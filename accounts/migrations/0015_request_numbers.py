"""Number the requests that change accounts, so that what was asked last wins.

Batches that have not ended are numbered in the order in which they were asked. Accounts have no numbers yet, so every
request is newer.
"""

from django.db import migrations, models
from django.db.models import Func, Value

NUMBER_UNFINISHED_BATCHES = """
UPDATE accounts_batchoperation batch SET request_number = numbered.number
  FROM (SELECT id, nextval('accounts_request_number') AS number
          FROM (SELECT id FROM accounts_batchoperation
                 WHERE state IN ('waiting', 'running') ORDER BY created_at, id) unfinished) numbered
 WHERE batch.id = numbered.id
"""


class Migration(migrations.Migration):
    dependencies = [("accounts", "0014_unread_regions")]

    operations = [
        migrations.RunSQL("CREATE SEQUENCE accounts_request_number", "DROP SEQUENCE accounts_request_number"),
        migrations.AddField(
            "account",
            "request_numbers",
            models.JSONField(blank=True, db_default={}, default=dict, editable=False),
        ),
        migrations.AddField("batchitem", "request_number", models.BigIntegerField(editable=False, null=True)),
        migrations.AddField(
            "batchoperation",
            "request_number",
            models.BigIntegerField(
                db_default=Func(Value("accounts_request_number"), function="nextval"), editable=False
            ),
        ),
        migrations.RunSQL(NUMBER_UNFINISHED_BATCHES, migrations.RunSQL.noop),
    ]
