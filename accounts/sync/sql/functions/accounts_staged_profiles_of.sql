-- Returns the short columns of all staged profiles of a run.
-- The planner believes the ROWS value. Its statistics of the staging tables are outdated, because the tables
-- are filled and emptied all day.
CREATE OR REPLACE FUNCTION accounts_staged_profiles_of(run uuid)
RETURNS TABLE (walk smallint, profile_id text, new_account_id uuid, region text, country_code text, name text,
               entity_id text)
ROWS 5000 STABLE LANGUAGE plpgsql AS $$
BEGIN
    RETURN QUERY
    SELECT staged.walk, staged.profile_id, staged.new_account_id, staged.region, staged.country_code, staged.name,
           staged.entity_id
      FROM accounts_staged_profile staged
     WHERE staged.run_id = run;
END $$
