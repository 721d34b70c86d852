-- Takes the next slot of a rate limit, or returns no row when something is in the way.
-- Relies on the function amazon_ads_reserve, which a session parses and plans once.
SELECT
    seconds,
    until,
    slot_interval,
    is_ailing,
    slowed_at
FROM amazon_ads_reserve(
    its_region => %(region)s,
    its_family => %(family)s,
    its_subject => %(subject)s,
    wait_seconds => %(max_wait)s,
    ceiling => %(ceiling)s,
    growth => %(growth)s,
    probe_every => make_interval(secs => %(probe_every)s),
    is_probe => %(is_probe)s
)
