"""Number changes in the order in which they were found committed.

Changes that are there already get 0 without a rewrite of the table, and are not in the ascending list.
"""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models

ADD_NUMBER = """
CREATE SEQUENCE IF NOT EXISTS accounts_change_order;
ALTER TABLE accounts_accountchange ADD COLUMN IF NOT EXISTS number bigint DEFAULT 0;
ALTER TABLE accounts_accountchange ALTER COLUMN number DROP DEFAULT
"""
REMOVE_NUMBER = """
ALTER TABLE accounts_accountchange DROP COLUMN number;
DROP SEQUENCE accounts_change_order
"""


class Migration(migrations.Migration):
    # Building an index concurrently cannot be part of a transaction.
    atomic = False

    dependencies = [
        ("accounts", "0034_notes"),
    ]

    operations = [
        migrations.RunSQL(
            ADD_NUMBER,
            REMOVE_NUMBER,
            state_operations=[
                migrations.AddField(
                    "accountchange", "number", models.BigIntegerField(editable=False, null=True)
                ),
            ],
        ),
        AddIndexConcurrently(
            "accountchange",
            models.Index(fields=["number"], condition=models.Q(number__gt=0), name="change_by_number"),
        ),
        AddIndexConcurrently(
            "accountchange",
            models.Index(fields=["id"], condition=models.Q(number=None), name="change_to_place"),
        ),
    ]
