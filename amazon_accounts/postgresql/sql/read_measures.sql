-- Reads the totals of all processes.
SELECT
    name,
    labels,
    part,
    value
FROM measures
ORDER BY name, labels, part
