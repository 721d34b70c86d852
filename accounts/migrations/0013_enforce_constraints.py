"""Two constraints that the models declared, and that the database did not enforce."""

from django.db import migrations, models

# No other process may add a row that breaks a constraint between the repairs and the constraints. The steps below need
# this mode anyway, and a lock that is raised later could end in a deadlock.
LOCK = "LOCK TABLE user_accounts IN ACCESS EXCLUSIVE MODE;"

KEEP_ONE_DEFAULT = """
UPDATE user_accounts
   SET is_default = false
 WHERE is_default
   AND id NOT IN (SELECT DISTINCT ON (user_id) id
                    FROM user_accounts
                   WHERE is_default
                   ORDER BY user_id, updated_at DESC, id DESC);
"""

# Migration 0005 removed the index: when a foreign key loses its own index, Django also drops each other index on
# this column alone.
UNIQUE_DEFAULT = """
CREATE UNIQUE INDEX IF NOT EXISTS one_default_account_per_user ON user_accounts (user_id) WHERE is_default;
"""

SET_MISSING_REASONS = """
UPDATE user_accounts SET inactive_reason = 'not_visible' WHERE status = 'inactive' AND inactive_reason IS NULL;
"""

# Checks the foreign keys of the changed rows now: a table with pending checks cannot be altered.
CHECK_FOREIGN_KEYS = "SET CONSTRAINTS ALL IMMEDIATE;"


class Migration(migrations.Migration):
    dependencies = [("accounts", "0012_functions")]

    operations = [
        migrations.RunSQL(LOCK, migrations.RunSQL.noop),
        migrations.RunSQL(KEEP_ONE_DEFAULT, migrations.RunSQL.noop),
        migrations.RunSQL(SET_MISSING_REASONS, migrations.RunSQL.noop),
        migrations.RunSQL(CHECK_FOREIGN_KEYS, migrations.RunSQL.noop),
        migrations.RunSQL(UNIQUE_DEFAULT, "DROP INDEX one_default_account_per_user;"),
        migrations.RemoveConstraint(model_name="account", name="inactive_account_has_a_reason"),
        migrations.AddConstraint(
            model_name="account",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("inactive_reason__in", ["disconnected", "not_visible"]),
                    ("inactive_reason__isnull", False),
                    ("status", "inactive"),
                )
                | (~models.Q(("status", "inactive")) & models.Q(("inactive_reason__isnull", True))),
                name="inactive_account_has_a_reason",
            ),
        ),
    ]
