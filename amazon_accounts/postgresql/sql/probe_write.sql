-- Makes a table that needs new pages on the disk. The caller rolls it back.
CREATE TEMPORARY TABLE probe ON COMMIT DROP AS
SELECT generate_series(1, 3000) AS number;
