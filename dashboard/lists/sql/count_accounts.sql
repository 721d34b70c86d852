-- Counts the accounts of each connection, up to one more than the maximum.
SELECT connection, (
    SELECT count(*)
      FROM (
        SELECT
          FROM user_accounts
         WHERE connection_id = connection
           AND (status <> 'inactive' OR inactive_reason = 'registration_failed' OR NOT %(only_live)s)
         LIMIT %(max)s + 1
      ) counted)
  FROM unnest(%(connections)s) connection
