-- Counts the accounts that each listing of a run shows, each account once: under the weightiest source that shows it.
SELECT walk, count(*)
  FROM (SELECT DISTINCT ON (amazon_account_id COLLATE "C") walk
          FROM accounts_staged_of(%(run)s)
         WHERE position > 0
         ORDER BY amazon_account_id COLLATE "C", array_position(%(weights)s::text[], source), walk) first
 GROUP BY walk
