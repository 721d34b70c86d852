-- Copies the staged ads accounts of which all profiles are in regions that are read, so that they can be merged.
-- Accounts that were copied before are left out: those up to a position that were ready with fewer regions. An account
-- without any profile is not copied, because another list may show its profiles.
WITH ready AS (
    SELECT staged.*
      FROM accounts_staged_account staged
     WHERE staged.run_id = %(run)s
       AND staged.walk = %(listing)s
       AND staged.position > 0
       AND staged.profile_regions <> '{}'
       AND staged.profile_regions <@ %(complete_regions)s::text[]
       AND (staged.position > %(copied_up_to)s OR NOT staged.profile_regions <@ %(copied_regions)s::text[])
)
INSERT INTO accounts_staged_account
       (run_id, walk, position, amazon_account_id, new_id, source, seen_in, name, account_type, status, amazon_status,
        countries, errors, metadata, profile_ids, profile_countries, profile_regions, profile_entities, links,
        cut_regions)
SELECT run_id, %(copies)s, row_number() OVER (ORDER BY position), amazon_account_id, new_id, source, seen_in, name,
       account_type, status, amazon_status, countries, errors, metadata, profile_ids, profile_countries,
       profile_regions, profile_entities, links, cut_regions
  FROM ready
