"""Starting things: the embedded PostgreSQL, the local secrets, and all processes at once for `make run`."""
