"""Empty: 0012_functions installs the functions that this migration made."""

from django.db import migrations

NO_FUNCTIONS = """
DROP FUNCTION IF EXISTS accounts_staged_of(uuid);
DROP FUNCTION IF EXISTS accounts_staged_profiles_of(uuid);
"""


class Migration(migrations.Migration):
    dependencies = [("accounts", "0006_staged_chunk")]

    operations = [migrations.RunSQL(migrations.RunSQL.noop, NO_FUNCTIONS)]
