"""The name by which the database knows the sessions of this process."""

from django.db import connections

from amazon_accounts.postgresql.base import DatabaseWrapper


def name_sessions(name: str) -> None:
    """Give this name to all sessions that this process opens from now on. The sessions of the pool are opened anew."""
    DatabaseWrapper.session_name = name
    for database in connections.all():
        database.close()
        if isinstance(database, DatabaseWrapper):
            database.close_pool()
