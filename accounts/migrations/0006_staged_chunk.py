"""Staged rows as a function, for the sake of the planner.

It knows next to nothing of a table that is filled and emptied all day, takes a thousand rows for one, and then joins
them with each other row by row. A function in PL/pgSQL is as large as it says.
"""

from django.db import migrations

FUNCTION = """
CREATE FUNCTION accounts_staged_chunk(run uuid, of_walk integer, behind bigint, upto bigint)
RETURNS SETOF accounts_staged_account ROWS 1000 STABLE LANGUAGE plpgsql AS $$
BEGIN
    RETURN QUERY
    SELECT DISTINCT ON (staged.amazon_account_id) staged.*
      FROM accounts_staged_account staged
     WHERE staged.run_id = run AND staged.walk = of_walk
       AND staged.position > behind AND staged.position <= upto
     ORDER BY staged.amazon_account_id, staged.position DESC;
END $$;
"""


# Only these are looked up by their key; for most rows, which are ads accounts, it would cost more than it is worth.
INDEX = """
DROP INDEX staged_account_by_key;
CREATE INDEX staged_account_by_key ON accounts_staged_account (run_id, amazon_account_id)
    WHERE source <> 'ads_accounts';
DROP INDEX staged_profile_by_key;
CREATE INDEX staged_profile_by_key ON accounts_staged_profile (run_id, profile_id, region);
"""
NO_INDEX = """
DROP INDEX staged_account_by_key;
CREATE INDEX staged_account_by_key ON accounts_staged_account (run_id, amazon_account_id);
DROP INDEX staged_profile_by_key;
CREATE INDEX staged_profile_by_key ON accounts_staged_profile (run_id, profile_id);
"""


class Migration(migrations.Migration):
    dependencies = [("accounts", "0005_list_indexes")]

    operations = [
        migrations.RunSQL(FUNCTION, "DROP FUNCTION accounts_staged_chunk(uuid, integer, bigint, bigint);"),
        migrations.RunSQL(INDEX, NO_INDEX),
    ]
