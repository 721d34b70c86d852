"""How asynchronous code reaches the database: one short function in a thread, its connection given back at once."""

import functools
import gc
import sys
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar
from typing import ParamSpec, TypeVar

import psycopg
from asgiref.sync import sync_to_async
from django.db import connections

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")

# Threads of our own: the loop's default ones also resolve host names, which takes as long as it takes. Together
# fewer than a connection pool holds, so that none of them waits for a connection.
THREADS = ThreadPoolExecutor(max_workers=6, thread_name_prefix="database")
RESERVED = ThreadPoolExecutor(max_workers=3, thread_name_prefix="database-reserved")

#: Of the interpreter's lock. Every statement is handed to a thread and back, and each time the busy loop keeps the
#: lock for so long; Python's own 5 ms would be most of what a statement takes.
SWITCH_SECONDS = 0.0005

_threads: ContextVar[ThreadPoolExecutor] = ContextVar("threads of the database", default=THREADS)


def tune_interpreter() -> None:
    """For a process that does much by `in_thread`; called when everything is imported.

    What is loaded until then stays for ever: not to look through it for garbage spares the loop a pause of 60 ms in
    every few seconds of a long walk.
    """
    sys.setswitchinterval(SWITCH_SECONDS)
    gc.collect()
    gc.freeze()


@contextmanager
def reserved_threads() -> Iterator[None]:
    """What runs in this block, and the tasks it starts, does not wait for the long statements of others."""
    before = _threads.set(RESERVED)
    try:
        yield
    finally:
        _threads.reset(before)


def in_thread(function: Callable[Parameters, Result]) -> Callable[Parameters, Awaitable[Result]]:
    """Make a function that uses the ORM awaitable. It must not leave a transaction, cursor or lazy queryset behind."""

    def with_own_connection(*args: Parameters.args, **kwargs: Parameters.kwargs) -> Result:
        try:
            return function(*args, **kwargs)
        finally:
            # Back to the pool before anybody waits for Amazon.
            connections.close_all()

    @functools.wraps(function)
    async def awaitable(*args: Parameters.args, **kwargs: Parameters.kwargs) -> Result:
        call = sync_to_async(with_own_connection, thread_sensitive=False, executor=_threads.get())
        return await call(*args, **kwargs)

    return awaitable


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
