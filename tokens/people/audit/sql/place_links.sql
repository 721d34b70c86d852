-- Gives waiting links of the audit trail their numbers and digests.
UPDATE tokens_auditlink link
   SET number = placed.number, digest = placed.digest, key_id = %(key)s
  FROM unnest(%(entries)s::uuid[], %(numbers)s::bigint[], %(digests)s::bytea[]) placed (entry_id, number, digest)
 WHERE link.entry_id = placed.entry_id
