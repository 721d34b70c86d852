-- Ends what links accounts of two teams after some of them were moved or copied from the one team to the other.
-- `accounts` are ids in the old team, `others` the ids of the same accounts in the new team, and `stored` the ids of
-- the accounts that came into the new team. An account whose parent is in the other team has none until a sync finds
-- one.
WITH pair AS MATERIALIZED (
    SELECT * FROM unnest(%(accounts)s::uuid[], %(others)s::uuid[]) AS pair (old_id, id)
), corrected AS (
    UPDATE user_accounts child
       SET parent_id = (SELECT pair.id FROM pair WHERE pair.old_id = child.parent_id),
           updated_at = statement_timestamp()
     WHERE child.id = ANY(%(stored)s) AND child.parent_id IS NOT NULL
       AND child.parent_id IS DISTINCT FROM (SELECT pair.id FROM pair WHERE pair.old_id = child.parent_id)
       AND NOT EXISTS (SELECT FROM pair WHERE pair.id = child.parent_id)
), left_behind AS (
    UPDATE user_accounts child
       SET parent_id = NULL, updated_at = statement_timestamp()
      FROM pair
     WHERE child.parent_id = pair.id AND child.team_id = %(old_team)s
), ended_links AS (
    DELETE FROM accounts_accountmanager link
     USING user_accounts manager, user_accounts account
     WHERE (link.manager_id = ANY(%(stored)s) OR link.account_id = ANY(%(stored)s))
       AND manager.id = link.manager_id AND account.id = link.account_id AND manager.team_id <> account.team_id
)
UPDATE accounts_profile profile
   SET billing_connection_id = CASE WHEN billing_connection_id = %(connection)s THEN billing_connection_id END,
       billing_refusals = coalesce((SELECT jsonb_object_agg(key, value) FROM jsonb_each(billing_refusals)
                                     WHERE key = %(connection)s::text), '{}')
 WHERE account_id = ANY(%(stored)s)
   AND (billing_connection_id <> %(connection)s OR NOT billing_refusals <@ coalesce(
       jsonb_build_object(%(connection)s::text, billing_refusals -> %(connection)s::text), '{}'))
