-- Returns the short columns of all staged accounts of a run.
-- ROWS tells the planner how many rows to expect. Its own statistics of the table are always outdated,
-- because the table is filled and emptied all day: it would expect one row instead of thousands.
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
