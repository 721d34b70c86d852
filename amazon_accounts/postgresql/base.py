from typing import Any

from django.db.backends.postgresql import base
from psycopg import OperationalError
from psycopg_pool import ConnectionPool, PoolTimeout


class DatabaseWrapper(base.DatabaseWrapper):
    """Checks the connection that the pool hands out, as CONN_HEALTH_CHECKS does, but without that one's patience.

    After a restart of PostgreSQL the pool is full of dead connections. Its own check tries them one after the
    other and waits longer after each; and while the database is away it tries to reconnect ever more rarely.
    """

    def get_new_connection(self, conn_params: dict[str, Any]) -> Any:
        if not self.pool:
            return super().get_new_connection(conn_params)
        try:
            connection = super().get_new_connection(conn_params)
            if _is_dead(connection):
                self.pool.putconn(connection)
                self.pool.drain()
                connection = super().get_new_connection(conn_params)
        except PoolTimeout:
            # A fresh pool tries at once.
            self.close_pool()
            raise
        return connection


def _is_dead(connection: Any) -> bool:
    try:
        ConnectionPool.check_connection(connection)
    except OperationalError:
        return True
    return False
