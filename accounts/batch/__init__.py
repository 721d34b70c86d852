"""Acting on many accounts at once: one request, one item for each account, one result for each item."""
