-- Replaces the ciphertext of access tokens, where it is still the ciphertext that was read.
-- A refresh meanwhile has stored a newer token, which the first key has encrypted already. Rows are locked in the
-- order of their ids, as every statement does that locks several.
WITH locked AS (
    SELECT
        stored.id,
        rotated.fresh
    FROM tokens_connection AS stored
    INNER JOIN
        unnest(%(ids)s::uuid[], %(stale)s::text[], %(fresh)s::text[]) AS rotated (id, stale, fresh)
        ON stored.id = rotated.id AND stored.access_token = rotated.stale
    ORDER BY stored.id
    FOR UPDATE OF stored
)

UPDATE tokens_connection AS stored
SET access_token = locked.fresh
FROM locked
WHERE stored.id = locked.id
