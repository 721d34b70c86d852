-- Returns the short columns of all staged accounts of a run.
-- A function in PL/pgSQL is as large as its ROWS say. Of a table that is filled and emptied all day the planner knows
-- next to nothing: it would take thousands of rows for one, and join them with other tables row by row.
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
