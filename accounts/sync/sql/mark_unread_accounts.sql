-- Marks the accounts of a connection that only regions show which the connection does not read, with these regions.
-- An account that a live connection reads in another access row moves to this connection. With `may_clear`, an
-- account that is read again loses its mark: a region counts as read if the connection has it now and the run read it.
-- Returns the ids of the new connections.
WITH reading AS MATERIALIZED (
    SELECT id, regions,
           CASE WHEN %(may_clear)s
               THEN ARRAY(SELECT unnest(regions::text[]) INTERSECT SELECT unnest(%(read_regions)s::text[]))
               ELSE regions::text[] END AS read_regions
      FROM tokens_connection
     WHERE id = %(connection)s
), shown AS MATERIALIZED (
    SELECT access.account_id,
           -- The list of ads accounts is global. Every other list belongs to a region.
           ARRAY(SELECT DISTINCT split_part(scope, ':', 2) FROM unnest(access.seen_in) scope ORDER BY 1) AS regions
      FROM accounts_accountaccess access
     WHERE access.connection_id = %(connection)s AND NOT access.seen_in @> '{ads_accounts}'
), unread AS MATERIALIZED (
    SELECT shown.account_id, shown.regions
      FROM shown, reading
     WHERE NOT shown.regions && reading.read_regions
), new_owner AS MATERIALIZED (
    SELECT DISTINCT ON (access.account_id) access.account_id, access.connection_id
      FROM unread
     CROSS JOIN LATERAL (
           SELECT * FROM accounts_accountaccess present WHERE present.account_id = unread.account_id OFFSET 0) access
      JOIN tokens_connection candidate ON candidate.id = access.connection_id
     WHERE access.connection_id <> %(connection)s
       AND candidate.state = 'active' AND candidate.client_id = %(client)s
       AND EXISTS (SELECT FROM unnest(access.seen_in) scope
                    WHERE split_part(scope, ':', 2) = ANY(candidate.regions::text[] || '{""}'::text[]))
     ORDER BY access.account_id, access.since, access.connection_id
), moved AS (
    UPDATE user_accounts account
       SET connection_id = new_owner.connection_id, unread_regions = '{}', updated_at = statement_timestamp()
      FROM new_owner
     WHERE account.id = new_owner.account_id
       AND account.connection_id = %(connection)s
       AND account.sync_enabled
       AND (account.inactive_reason IS NULL OR account.inactive_reason = 'registration_failed')
    RETURNING account.id, account.connection_id
), marked AS (
    UPDATE user_accounts account
       SET unread_regions = unread.regions, updated_at = statement_timestamp()
      FROM unread
     WHERE account.id = unread.account_id
       AND account.connection_id = %(connection)s
       AND account.unread_regions::text[] <> unread.regions
       AND account.id NOT IN (SELECT id FROM moved)
), cleared AS (
    UPDATE user_accounts account
       SET unread_regions = '{}', updated_at = statement_timestamp()
     WHERE %(may_clear)s
       AND account.connection_id = %(connection)s
       AND account.unread_regions <> '{}'
       AND account.id NOT IN (SELECT account_id FROM unread)
)
SELECT ARRAY(SELECT DISTINCT connection_id FROM moved)
