-- Counts the accounts of each listing of a run.
-- An account that several sources show is counted once, under the source that comes first in the precedence.
SELECT walk, count(*)
  FROM (SELECT DISTINCT ON (amazon_account_id COLLATE "C") walk
          FROM accounts_staged_of(%(run)s)
         WHERE position > 0
         ORDER BY amazon_account_id COLLATE "C", array_position(%(precedence)s::text[], source), walk) first
 GROUP BY walk
