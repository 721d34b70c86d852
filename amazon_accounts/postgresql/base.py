from typing import Any

from django.db.backends.postgresql import base
from psycopg import OperationalError
from psycopg_pool import ConnectionPool


class DatabaseWrapper(base.DatabaseWrapper):
    """Checks the connection that the pool hands out, as CONN_HEALTH_CHECKS does, but without that one's patience.

    After a restart of PostgreSQL the pool is full of dead connections, which its own check tries one after the
    other, waiting longer after each. Here the first dead one clears the pool.
    """

    def get_new_connection(self, conn_params: dict[str, Any]) -> Any:
        connection = super().get_new_connection(conn_params)
        if self.pool and _is_dead(connection):
            self.pool.putconn(connection)
            self.pool.drain()
            connection = super().get_new_connection(conn_params)
        return connection


def _is_dead(connection: Any) -> bool:
    try:
        ConnectionPool.check_connection(connection)
    except OperationalError:
        return True
    return False
