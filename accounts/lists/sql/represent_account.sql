-- The JSON of an account as the API shows it. `Account` has the same rules in Python.
-- Without `LIMIT 1` PostgreSQL would copy each CASE to every place that names it, and plan for longer than it reads.
SELECT row_to_json(shown)::text
FROM (SELECT (%(account)s::user_accounts).*) AS account
INNER JOIN tokens_connection AS connection ON account.connection_id = connection.id
INNER JOIN tokens_team AS team ON account.team_id = team.id
CROSS JOIN LATERAL (
    SELECT CASE
        WHEN account.inactive_reason IN ('disconnected', 'not_visible') THEN account.inactive_reason
        WHEN NOT account.sync_enabled THEN 'turned_off'
        WHEN account.unread_regions != '{}' THEN 'region_not_read'
        WHEN connection.paused THEN 'connection_paused'
    END AS off_reason
    LIMIT 1
) AS reading
CROSS JOIN LATERAL (
    SELECT CASE
        WHEN reading.off_reason IS NOT NULL THEN 'off'
        WHEN connection.sync_failures > 0 THEN 'failing'
        WHEN connection.last_synced_at IS NULL THEN 'never'
        WHEN connection.last_synced_at < statement_timestamp() - %(time_until_late)s THEN 'stale'
        ELSE 'synced'
    END AS status
    LIMIT 1
) AS sync
CROSS JOIN LATERAL (
    SELECT CASE
        WHEN account.inactive_reason IN ('disconnected', 'not_visible') THEN 'inactive'
        WHEN account.status = 'suspended' THEN 'suspended'
        WHEN connection.state = 'reauthorization_required' THEN 'login_refused'
        WHEN sync.status = 'failing' THEN 'sync_failing'
        WHEN account.standing = 'at_risk' THEN 'at_risk'
        WHEN account.status = 'pending' THEN 'set_up'
        WHEN account.status = 'inactive' THEN 'registration_failed'
        WHEN sync.status = 'stale' THEN 'late'
        WHEN sync.status = 'never' THEN 'first_sync'
        WHEN account.status = 'unknown' THEN 'unknown'
        WHEN
            sync.status != 'off' AND account.standing = 'unknown' AND account.source IN ('ads_accounts', 'profiles')
            THEN 'unknown'
        WHEN sync.status = 'off' THEN 'paused'
    END AS reason
    LIMIT 1
) AS health
CROSS JOIN LATERAL (
    SELECT
        account.id,
        json_build_object('id', team.id, 'name', team.name) AS team,
        account.amazon_account_id,
        account.name,
        account.status,
        account.inactive_reason,
        account.amazon_status,
        account.standing,
        account.suspended_in,
        to_char(account.suspension_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS suspension_at,
        account.account_type,
        CASE
            WHEN health.reason IS NULL OR health.reason = 'paused' THEN 'ok'
            WHEN health.reason = 'inactive' THEN 'off'
            WHEN health.reason IN ('suspended', 'login_refused', 'sync_failing') THEN 'problem'
            WHEN health.reason = 'unknown' AND account.status != 'unknown' THEN 'ok'
            ELSE 'attention'
        END AS health,
        health.reason AS health_reason,
        account.connection_id AS connection,
        ARRAY(
            SELECT access.connection_id
            FROM accounts_accountaccess AS access
            WHERE access.account_id = account.id
            ORDER BY access.connection_id
        ) AS connections,
        account.parent_id AS parent,
        ARRAY(
            SELECT link.manager_id
            FROM accounts_accountmanager AS link
            WHERE link.account_id = account.id
            ORDER BY link.manager_id
        ) AS managers,
        account.countries,
        ARRAY(
            SELECT
                json_build_object(
                    'profile_id', profile.profile_id,
                    'country_code', profile.country_code,
                    'marketplace_id', profile.marketplace_id,
                    'currency_code', profile.currency_code,
                    'timezone', profile.timezone,
                    'type', profile.type
                )
            FROM accounts_profile AS profile
            WHERE profile.account_id = account.id
            ORDER BY profile.country_code, profile.profile_id
        ) AS profiles,
        account.errors,
        account.metadata,
        account.labels,
        account.is_default,
        account.sync_enabled,
        to_char(account.connected_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS connected_at,
        to_char(connection.last_synced_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS last_synced_at,
        sync.status AS sync_status,
        reading.off_reason AS sync_off_reason,
        account.unread_regions,
        CASE WHEN sync.status = 'failing' THEN connection.sync_error ELSE '' END AS sync_error
) AS shown
