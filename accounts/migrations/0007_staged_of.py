"""All staged rows of a run as functions, for the sake of the planner: see 0006."""

from django.db import migrations

# What is asked of all rows of a run needs few columns; the others are long.
FUNCTIONS = """
CREATE FUNCTION accounts_staged_of(run uuid)
RETURNS TABLE (walk smallint, "position" bigint, amazon_account_id text, source text, seen_in text[], profile_ids text[])
ROWS 10000 STABLE LANGUAGE plpgsql AS $$
BEGIN
    RETURN QUERY
    SELECT staged.walk, staged.position, staged.amazon_account_id, staged.source, staged.seen_in, staged.profile_ids
      FROM accounts_staged_account staged
     WHERE staged.run_id = run;
END $$;

CREATE FUNCTION accounts_staged_profiles_of(run uuid)
RETURNS TABLE (walk smallint, profile_id text, new_account_id uuid, region text, country_code text, name text,
               entity_id text)
ROWS 5000 STABLE LANGUAGE plpgsql AS $$
BEGIN
    RETURN QUERY
    SELECT staged.walk, staged.profile_id, staged.new_account_id, staged.region, staged.country_code, staged.name,
           staged.entity_id
      FROM accounts_staged_profile staged
     WHERE staged.run_id = run;
END $$;
"""
NO_FUNCTIONS = """
DROP FUNCTION accounts_staged_of(uuid);
DROP FUNCTION accounts_staged_profiles_of(uuid);
"""


class Migration(migrations.Migration):
    dependencies = [("accounts", "0006_staged_chunk")]

    operations = [migrations.RunSQL(FUNCTIONS, NO_FUNCTIONS)]
