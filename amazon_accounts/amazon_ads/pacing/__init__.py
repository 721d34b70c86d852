"""How fast Amazon is called: shared slots in PostgreSQL, retries after a 429, and learning the pace."""
