-- Links accounts of a team as the same accounts of another team are linked.
-- `accounts` are ids in the old team, and `others` the ids of the same accounts in the new team: the same id for an
-- account that moves as it is.
WITH pair AS MATERIALIZED (
    SELECT * FROM unnest(%(accounts)s::uuid[], %(others)s::uuid[]) AS pair (old_id, id)
)
INSERT INTO accounts_accountmanager (manager_id, account_id, regions)
SELECT manager.id AS manager_id, account.id AS account_id, link.regions
  FROM accounts_accountmanager link
  JOIN pair manager ON manager.old_id = link.manager_id
  JOIN pair account ON account.old_id = link.account_id
 WHERE manager.id <> link.manager_id OR account.id <> link.account_id
    ON CONFLICT ON CONSTRAINT one_link_per_manager_and_account DO UPDATE
   SET regions = ARRAY(SELECT DISTINCT region FROM unnest(accounts_accountmanager.regions || excluded.regions) region
                        ORDER BY 1)
