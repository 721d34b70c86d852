-- Returns the short columns of all staged accounts of a run.
-- The planner believes the ROWS value. Its statistics of the staging tables are outdated, because the tables
-- are filled and emptied all day.
CREATE OR REPLACE FUNCTION accounts_staged_of(run uuid)
RETURNS TABLE (walk smallint, "position" bigint, amazon_account_id text, source text, seen_in text[],
               profile_ids text[])
ROWS 10000 STABLE LANGUAGE plpgsql AS $$
BEGIN
    RETURN QUERY
    SELECT staged.walk, staged.position, staged.amazon_account_id, staged.source, staged.seen_in, staged.profile_ids
      FROM accounts_staged_account staged
     WHERE staged.run_id = run;
END $$
