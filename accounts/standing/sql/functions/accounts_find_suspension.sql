-- Returns the earliest suspension that the notices of a profile announce and that has not happened.
CREATE OR REPLACE FUNCTION accounts_find_suspension(notices jsonb) RETURNS timestamptz
LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT min((notice ->> 'suspension_at')::timestamptz)
      FROM jsonb_array_elements(notices) notice
     WHERE notice ->> 'impact' IS DISTINCT FROM 'CAMPAIGNS_SUSPENDED'
$$
