import time
from types import TracebackType
from typing import Any

import psycopg
from django.conf import settings
from django.db import OperationalError
from django.db.backends.postgresql import base
from django.db.utils import DatabaseErrorWrapper
from django.utils.functional import cached_property

from amazon_accounts.postgresql.clock import note_reading
from amazon_accounts.postgresql.outages import OUTAGES

# How both ends of a connection find out within 20 seconds that the network between them is gone.
TCP = {
    "connect_timeout": 5,
    "keepalives": 1,
    "keepalives_idle": 5,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 15_000,
}
SERVER_OPTIONS = (
    "-c tcp_keepalives_idle=5 -c tcp_keepalives_interval=5 -c tcp_keepalives_count=3 -c tcp_user_timeout=15000"
    " -c client_connection_check_interval=5s"
)
# The pool's own timeout does not limit the check of a connection.
CHECK_SECONDS = 1.5


class ErrorWrapper(DatabaseErrorWrapper):
    """Notices outages of the database, and makes an OperationalError of all of them."""

    wrapper: base.DatabaseWrapper

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if exc_value is not None:
            OUTAGES.note(exc_value)
        if isinstance(exc_value, psycopg.errors.ReadOnlySqlTransaction):
            # psycopg has it among the internal errors, which nobody expects.
            self.wrapper.errors_occurred = True
            raise OperationalError(*exc_value.args).with_traceback(traceback) from exc_value
        super().__exit__(exc_type, exc_value, traceback)


class DatabaseWrapper(base.DatabaseWrapper):
    """Checks each connection that the pool hands out, and reads its clock. The first dead connection clears the pool.

    After a restart of PostgreSQL all connections of the pool are dead. Its own check, CONN_HEALTH_CHECKS, would try
    them one after the other and wait longer after each.
    """

    # The application_name of all sessions of this process, if it has one.
    session_name = ""

    def get_connection_params(self) -> dict[str, Any]:
        # Django's pool, the queue and the lock of the scheduler all take their parameters from here.
        parameters: dict[str, Any] = {**TCP, **super().get_connection_params()}
        if not settings.DB_PGBOUNCER:
            parameters["options"] = f"{SERVER_OPTIONS} {parameters.get('options') or ''}".strip()
        if self.session_name:
            parameters["application_name"] = self.session_name
        return parameters

    @cached_property
    def wrap_database_errors(self) -> ErrorWrapper:
        return ErrorWrapper(self)

    def get_new_connection(self, conn_params: dict[str, Any]) -> Any:
        connection = super().get_new_connection(conn_params)
        if self.pool and _is_dead(connection):
            self.pool.putconn(connection)
            self.pool.drain()
            connection = super().get_new_connection(conn_params)
        return connection


def _is_dead(connection: Any) -> bool:
    connection.deadline = CHECK_SECONDS
    try:
        # As Django sets it next. Otherwise the statement would open a transaction.
        connection.autocommit = True
        asked_at = time.monotonic()
        (seconds,) = connection.execute("SELECT extract(EPOCH FROM clock_timestamp())::float8").fetchone()
    except psycopg.OperationalError:
        return True
    finally:
        del connection.deadline
    note_reading(seconds, asked_at=asked_at)
    return False
