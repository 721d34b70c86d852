"""Django's PostgreSQL backend, with a connection pool that is of use at once after a restart of the database."""
