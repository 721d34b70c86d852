"""How asynchronous code reaches the database: one short function in a thread, its connection given back at once."""

import functools
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

import psycopg
from asgiref.sync import sync_to_async
from django.db import connections

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")

# Threads of our own: the loop's default ones also resolve host names, which takes as long as it takes. Fewer
# than a connection pool holds, so that none of them waits for a connection.
THREADS = ThreadPoolExecutor(max_workers=8, thread_name_prefix="database")


def in_thread(function: Callable[Parameters, Result]) -> Callable[Parameters, Awaitable[Result]]:
    """Make a function that uses the ORM awaitable. It must not leave a transaction, cursor or lazy queryset behind."""

    @functools.wraps(function)
    def with_own_connection(*args: Parameters.args, **kwargs: Parameters.kwargs) -> Result:
        try:
            return function(*args, **kwargs)
        finally:
            # Back to the pool before anybody waits for Amazon.
            connections.close_all()

    return sync_to_async(with_own_connection, thread_sensitive=False, executor=THREADS)


# Connection exceptions, and what a server says that stops, starts or crashes.
_OUTAGE_STATES = ("08", "57P")


def is_outage(error: BaseException) -> bool:
    """Whether this error of Django's says that the database itself is away, rather than that it refused something."""
    cause = error.__cause__
    if isinstance(cause, psycopg.InterfaceError):
        return True
    if not isinstance(cause, psycopg.OperationalError):
        return False
    return cause.sqlstate is None or cause.sqlstate.startswith(_OUTAGE_STATES)
