"""How fast Amazon is called: shared slots in PostgreSQL, what a 429 changes, retries, and the circuit."""
