-- Find the connections whose contacts are owed a reminder today, and all other logins of these contacts that end soon.
WITH ending AS MATERIALIZED (
    SELECT connection.id,
           connection.contact_email,
           encode(sha256(convert_to(lower(connection.contact_email), 'UTF8')), 'hex') AS address,
           ((connection.consented_at + %(life)s) AT TIME ZONE 'UTC')::date AS last_day
      FROM tokens_connection connection
      JOIN tokens_team team ON team.id = connection.team_id AND team.sends_reminders
     WHERE connection.client_id = %(client)s
       AND connection.state = 'active'
       AND NOT connection.paused
       AND connection.contact_email <> ''
       AND connection.consented_at >= %(first_with_end)s
       AND connection.consented_at > now() - %(life)s
       AND connection.consented_at < now() - %(life)s + (%(days)s::int[])[1] * interval '1 day' + interval '1 day'
       AND (%(connections)s::uuid[] IS NULL OR connection.id = ANY(%(connections)s::uuid[]))
), stepped AS (
    SELECT ending.id,
           ending.contact_email,
           ending.address,
           -- The last of the days on which a reminder goes out.
           ending.last_day - min(step.days) AS due_since
      FROM ending
      JOIN unnest(%(days)s::int[]) step (days) ON step.days >= ending.last_day - (now() AT TIME ZONE 'UTC')::date
     GROUP BY ending.id, ending.contact_email, ending.address, ending.last_day
), owed AS (
    SELECT stepped.address
      FROM stepped
     WHERE NOT EXISTS (
               SELECT FROM tokens_connectlink link
                WHERE link.connection_id = stepped.id
                  AND lower(link.email) = lower(stepped.contact_email)
                  AND link.mailed_at >= stepped.due_since::timestamp AT TIME ZONE 'UTC'
           )
       AND NOT EXISTS (
               SELECT FROM tokens_renewalmail mail
                WHERE mail.address_digest = stepped.address
                  AND (
                      (
                          mail.day = (now() AT TIME ZONE 'UTC')::date
                          AND coalesce(mail.started_at, mail.failed_at) IS NOT NULL
                      )
                      OR mail.mailed_at > now() - %(pause)s
                  )
           )
     GROUP BY stepped.address
)
SELECT stepped.address, stepped.id
  FROM stepped
  JOIN owed ON owed.address = stepped.address
 ORDER BY stepped.address, stepped.id
