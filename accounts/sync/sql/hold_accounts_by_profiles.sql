-- Records that profiles show ads accounts which the list of ads accounts of this run does not show.
-- stage_profile_only_accounts has staged them at position 0. The connection keeps its access, or gets access. An
-- account that was not visible is there again, and an account of a refused connection moves to this one. If no other
-- connection lists the account, this is one more reading that missed it. Returns how many accounts such readings
-- missed, or the last sync did not see in this way.
WITH sight AS MATERIALIZED (
    SELECT amazon_account_id, array_agg(DISTINCT scope) AS scopes
      FROM accounts_staged_of(%(run)s) staged
     CROSS JOIN LATERAL unnest(staged.seen_in) scope
     WHERE position = 0 AND source = 'profiles'
     GROUP BY amazon_account_id
), shown AS MATERIALIZED (
    SELECT account.id, sight.scopes,
           coalesce((%(statuses)s::jsonb) ->> coalesce(account.amazon_status, ''), 'unknown') AS listed_status,
           NOT EXISTS (SELECT FROM (SELECT * FROM accounts_accountaccess present
                                     WHERE present.account_id = account.id OFFSET 0) other
                        WHERE other.connection_id <> %(connection)s AND other.seen_in @> '{ads_accounts}') AS is_missed
      FROM sight
     CROSS JOIN LATERAL (
           SELECT * FROM user_accounts present
            WHERE present.amazon_account_id = sight.amazon_account_id OFFSET 0) account
     WHERE account.team_id = %(team)s AND account.source = 'ads_accounts'
), new_access AS (
    INSERT INTO accounts_accountaccess (account_id, connection_id, seen_in, since, missing_since, missed_readings)
    SELECT id, %(connection)s, scopes, statement_timestamp(),
           CASE WHEN is_missed THEN statement_timestamp() END, is_missed::integer
      FROM shown
     ORDER BY id
        ON CONFLICT (account_id, connection_id) DO NOTHING
    RETURNING account_id
), changed_access AS (
    UPDATE accounts_accountaccess access
       SET seen_in = ARRAY(SELECT DISTINCT scope FROM unnest(access.seen_in || shown.scopes) scope ORDER BY 1),
           missing_since = CASE WHEN is_missed THEN coalesce(access.missing_since, statement_timestamp()) END,
           missed_readings = CASE WHEN is_missed THEN least(access.missed_readings, 100) + 1 ELSE 0 END
      FROM shown
     WHERE access.account_id = shown.id AND access.connection_id = %(connection)s
       AND (is_missed OR NOT access.seen_in @> shown.scopes OR access.missing_since IS NOT NULL)
    RETURNING access.account_id
), returned AS (
    UPDATE user_accounts account
       SET status = accounts_find_status(shown.listed_status, account.standing),
           inactive_reason = CASE WHEN shown.listed_status = 'inactive' THEN 'registration_failed' END,
           connection_id = %(connection)s, unread_regions = '{}',
           updated_at = statement_timestamp()
      FROM shown
     WHERE account.id = shown.id
       AND (account.inactive_reason = 'not_visible'
            OR account.inactive_reason IS DISTINCT FROM 'disconnected' AND account.sync_enabled
               AND NOT EXISTS (SELECT FROM tokens_connection current_connection
                                WHERE current_connection.id = account.connection_id
                                  AND current_connection.state = 'active'
                                  AND current_connection.client_id = %(client)s))
    RETURNING account.id
)
SELECT count(*)
  FROM (SELECT account_id FROM new_access
         UNION SELECT account_id FROM changed_access
         UNION SELECT id FROM returned) held
