-- Takes the standing from profiles whose answer is too old, because no login could renew it.
-- The answer stays, with its date. Returns the ids of the accounts.
WITH forgotten AS (
    UPDATE accounts_profile profile
       SET standing = 'unknown', suspension_at = NULL
     WHERE profile.standing <> 'unknown'
       AND least(profile.billing_asked_at, profile.notices_asked_at) < statement_timestamp() - %(max_age)s::interval
    RETURNING profile.account_id
)
SELECT ARRAY(SELECT DISTINCT account_id FROM forgotten)
