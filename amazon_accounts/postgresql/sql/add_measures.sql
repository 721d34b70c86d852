-- Adds what one process has counted to the totals of all processes.
INSERT INTO measures AS measure (name, labels, part, value)
SELECT
    counted.name,
    counted.labels,
    counted.part,
    counted.value
FROM
    unnest(%(names)s::text[], %(labels)s::text[], %(parts)s::text[], %(values)s::double precision[])
    AS counted (name, labels, part, value)
ON CONFLICT (name, labels, part) DO UPDATE SET value = measure.value + excluded.value
