-- Returns the short columns of all staged profiles of a run.
-- ROWS tells the planner how many rows to expect. Its own statistics of the table are always outdated,
-- because the table is filled and emptied all day: it would expect one row instead of thousands.
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
