"""The advisory lock that makes one scheduler the leader."""

import logging
import threading
from types import TracebackType
from typing import Any, Self

import psycopg
from procrastinate.contrib.django.utils import connector_params

logger = logging.getLogger(__name__)

# Any number, but the same one in every scheduler of this database.
LEADER_LOCK = 0x616D7A_5C4ED


class Leadership:
    """The lock, on a connection of its own that notices when the network is gone."""

    def __init__(self) -> None:
        self._connection: psycopg.Connection[Any] | None = None
        self._one_at_a_time = threading.Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.resign()

    def try_to_lead(self) -> bool:
        # While the database is away, no process leads.
        try:
            with self._one_at_a_time:
                if self._connection is None:
                    self._connection = psycopg.connect(**_lock_connection_params())
                row = self._connection.execute("SELECT pg_try_advisory_lock(%s)", [LEADER_LOCK]).fetchone()
        except psycopg.OperationalError as error:
            logger.debug("No leader can be chosen: %s", error)
            self.resign()
            return False
        return bool(row and row[0])

    def still_leads(self) -> bool:
        # PostgreSQL gives the lock to another process when this connection is lost.
        try:
            with self._one_at_a_time:
                if self._connection is None:
                    return False
                self._connection.execute("SELECT 1")
        except psycopg.OperationalError:
            return False
        return True

    def resign(self) -> None:
        with self._one_at_a_time:
            if self._connection is not None:
                self._connection.close()
                self._connection = None


def _lock_connection_params() -> dict[str, Any]:
    params = connector_params("default")
    options = params.pop("options", "") or ""
    return {
        **params,
        "autocommit": True,
        "connect_timeout": 5,
        # Both ends find out within half a minute that the other is gone.
        "keepalives": 1,
        "keepalives_idle": 5,
        "keepalives_interval": 5,
        "keepalives_count": 3,
        "tcp_user_timeout": 20_000,
        "options": f"{options} -c tcp_keepalives_idle=5 -c tcp_keepalives_interval=5 -c tcp_keepalives_count=3",
    }
