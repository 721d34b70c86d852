-- Returns the staged accounts of one listing between two positions, the last row of each key.
-- The planner believes the ROWS value. Its statistics of the staging tables are outdated, because the tables
-- are filled and emptied all day.
CREATE OR REPLACE FUNCTION accounts_staged_chunk(run uuid, of_walk integer, behind bigint, upto bigint)
RETURNS SETOF accounts_staged_account ROWS 1000 STABLE LANGUAGE plpgsql AS $$
BEGIN
    RETURN QUERY
    SELECT DISTINCT ON (staged.amazon_account_id) staged.*
      FROM accounts_staged_account staged
     WHERE staged.run_id = run AND staged.walk = of_walk
       AND staged.position > behind AND staged.position <= upto
     ORDER BY staged.amazon_account_id, staged.position DESC;
END $$
