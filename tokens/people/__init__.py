"""People: their sessions, the end of their access, and their erasure."""
