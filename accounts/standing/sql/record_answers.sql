-- Stores what Amazon's billing answered about profiles. Where it did not answer, the stored answer stays.
-- A refusal of this connection is noted until the connection is answered. Returns the ids of the accounts.
WITH answer AS MATERIALIZED (
    SELECT answer.*
      FROM jsonb_to_recordset(%(answers)s::jsonb)
           AS answer (profile bigint, status text, message text, notices jsonb, refusal text)
), said AS MATERIALIZED (
    SELECT profile.id, profile.account_id,
           coalesce(answer.status, profile.billing_status) AS billing_status,
           CASE WHEN answer.status IS NULL THEN profile.billing_message ELSE answer.message END AS billing_message,
           CASE WHEN answer.status IS NULL THEN profile.billing_asked_at ELSE statement_timestamp() END
               AS billing_asked_at,
           coalesce(answer.notices, profile.notices) AS notices,
           CASE WHEN answer.notices IS NULL THEN profile.notices_asked_at ELSE statement_timestamp() END
               AS notices_asked_at,
           CASE WHEN coalesce(answer.status, answer.notices::text) IS NULL THEN profile.billing_connection_id
                ELSE %(connection)s::uuid END AS billing_connection_id,
           CASE WHEN answer.refusal IS NOT NULL THEN profile.billing_refusals || jsonb_build_object(
                    %(connection)s::text, jsonb_build_object('code', answer.refusal, 'at', statement_timestamp()))
                WHEN answer.status IS NULL OR answer.notices IS NULL THEN profile.billing_refusals
                ELSE profile.billing_refusals - %(connection)s::text END AS billing_refusals
      FROM answer
     CROSS JOIN LATERAL (SELECT * FROM accounts_profile present WHERE present.id = answer.profile LIMIT 1) profile
), recorded AS (
    UPDATE accounts_profile profile
       SET billing_status = said.billing_status, billing_message = said.billing_message,
           billing_asked_at = said.billing_asked_at, notices = said.notices,
           notices_asked_at = said.notices_asked_at, billing_connection_id = said.billing_connection_id,
           billing_refusals = said.billing_refusals,
           standing = accounts_find_standing(said.billing_status, said.notices),
           suspension_at = accounts_find_suspension(said.notices)
      FROM (SELECT * FROM said ORDER BY account_id, id) said
     WHERE profile.id = said.id
    RETURNING profile.account_id
)
SELECT ARRAY(SELECT DISTINCT account_id FROM recorded)
