-- Numbers the committed changes that have no number, in the order in which they were written. Returns how many.
WITH waiting AS MATERIALIZED (
    SELECT id
    FROM accounts_accountchange
    WHERE number IS NULL
    ORDER BY id
    LIMIT %(batch_size)s
),

numbers AS MATERIALIZED (
    SELECT
        ordered.id,
        nextval('accounts_change_order') AS number
    FROM (SELECT id FROM waiting ORDER BY id) AS ordered
),

placed AS (
    UPDATE accounts_accountchange AS change
    SET number = numbers.number
    FROM numbers
    WHERE change.id = numbers.id
    RETURNING change.id
)

SELECT count(*) FROM placed
