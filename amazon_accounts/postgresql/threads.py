"""Lets asynchronous code use the database: a short function runs in a thread and gives its connection back.

The function must not leave a transaction, a cursor or a lazy queryset behind.
"""

import functools
import gc
import sys
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar
from typing import ParamSpec, TypeVar

from asgiref.sync import sync_to_async
from django.db import connections

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")

# The default threads of the event loop also resolve host names, which can take long, so the database has its own.
# They are fewer than the connections of a pool, so that no thread waits for a connection.
THREADS = ThreadPoolExecutor(max_workers=6, thread_name_prefix="database")
RESERVED = ThreadPoolExecutor(max_workers=3, thread_name_prefix="database-reserved")

# How long a thread may hold the interpreter's lock. Each statement goes to a thread and back, and waits for the lock
# of the busy event loop each time. Python's default of 5 ms would be most of the time that a statement takes.
SWITCH_SECONDS = 0.0005

_threads: ContextVar[ThreadPoolExecutor] = ContextVar("threads of the database", default=THREADS)


def tune_interpreter() -> None:
    # Imported objects live until the process ends. Looking for garbage among them pauses a sync for 60 ms each time.
    sys.setswitchinterval(SWITCH_SECONDS)
    gc.collect()
    gc.freeze()


@contextmanager
def reserved_threads() -> Iterator[None]:
    before = _threads.set(RESERVED)
    try:
        yield
    finally:
        _threads.reset(before)


def in_thread(function: Callable[Parameters, Result]) -> Callable[Parameters, Awaitable[Result]]:
    def with_own_connection(*args: Parameters.args, **kwargs: Parameters.kwargs) -> Result:
        try:
            return function(*args, **kwargs)
        finally:
            # The connection returns to the pool before the caller waits for Amazon.
            connections.close_all()

    @functools.wraps(function)
    async def awaitable(*args: Parameters.args, **kwargs: Parameters.kwargs) -> Result:
        call = sync_to_async(with_own_connection, thread_sensitive=False, executor=_threads.get())
        return await call(*args, **kwargs)

    return awaitable
