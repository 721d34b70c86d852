-- Copies accounts with their labels and profiles into another team, as accounts of one connection.
-- `accounts` and `others` are the ids of the accounts and of their copies. A copy has no history, and is not the
-- default account.
WITH pair AS MATERIALIZED (
    SELECT * FROM unnest(%(accounts)s::uuid[], %(others)s::uuid[]) AS pair (old_id, id)
), copied AS (
    INSERT INTO user_accounts
           (id, team_id, user_id, amazon_account_id, connection_id, source, name, account_type, status, inactive_reason,
            amazon_status, standing, suspended_in, suspension_at, countries, parent_id, errors, metadata, labels,
            is_default, sync_enabled, first_seen_at, connected_at, disconnected_at, updated_at)
    SELECT pair.id, %(team)s, user_id, amazon_account_id, %(connection)s, source, name, account_type, status,
           inactive_reason, amazon_status, standing, suspended_in, suspension_at, countries, parent_id, errors,
           metadata, labels, false, sync_enabled, first_seen_at, connected_at, disconnected_at,
           statement_timestamp()
      FROM pair
      JOIN user_accounts account ON account.id = pair.old_id
     ORDER BY amazon_account_id
)
INSERT INTO accounts_profile
       (account_id, profile_id, region, country_code, marketplace_id, currency_code, timezone, type, subtype, name,
        entity_id, ads_entity_id, access_level, valid_payment_method, daily_budget, standing, suspension_at,
        billing_status, billing_message, billing_asked_at, notices, notices_asked_at, billing_connection_id,
        billing_refusals)
SELECT pair.id, profile_id, region, country_code, marketplace_id, currency_code, timezone, type, subtype, name,
       entity_id, ads_entity_id, access_level, valid_payment_method, daily_budget, standing, suspension_at,
       billing_status, billing_message, billing_asked_at, notices, notices_asked_at, billing_connection_id,
       billing_refusals
  FROM pair
  JOIN accounts_profile profile ON profile.account_id = pair.old_id
