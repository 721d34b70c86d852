"""Which request, and which task of a worker, the running code belongs to."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Trace:
    # Also in the answer's header X-Request-ID and in the audit trail. A task has the id of the request that queued it.
    request_id: str = ""
    task: str = ""
    job: str = ""


_trace: ContextVar[Trace | None] = ContextVar("trace", default=None)


@contextmanager
def traced(trace: Trace) -> Iterator[None]:
    token = _trace.set(trace)
    try:
        yield
    finally:
        _trace.reset(token)


def read_trace() -> Trace:
    return _trace.get() or Trace()
