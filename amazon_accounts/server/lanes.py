"""Lanes: each is a number of threads with a bounded queue, so that one kind of request cannot delay the others."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Lock
from typing import ParamSpec, TypeVar

from amazon_accounts.server.limits import LaneSize, Limits

LIVENESS_PATH = "/healthz"
MONITORING_PATHS = ("/readyz", "/metrics")
# A POST below these paths may hash a password.
SIGN_IN_PATHS = ("/auth/", "/admin/login/", "/admin/password_change/")

_Parameters = ParamSpec("_Parameters")
_Result = TypeVar("_Result")


class LaneFullError(Exception):
    """Too many requests wait for a thread."""


class Lane:
    def __init__(self, name: str, size: LaneSize) -> None:
        self._threads = ThreadPoolExecutor(size.threads, thread_name_prefix=name)
        self._max_unfinished = size.threads + size.max_waiting
        self._unfinished = 0
        self._lock = Lock()

    def begin(
        self, function: Callable[_Parameters, _Result], *args: _Parameters.args, **kwargs: _Parameters.kwargs
    ) -> "Future[_Result]":
        """Run the function in a thread of this lane. Raise LaneFullError when too many calls wait."""
        if self._unfinished >= self._max_unfinished:
            raise LaneFullError
        return self.go_on(function, *args, **kwargs)

    def go_on(
        self, function: Callable[_Parameters, _Result], *args: _Parameters.args, **kwargs: _Parameters.kwargs
    ) -> "Future[_Result]":
        """Run the function for a request that has already started, even if many requests wait."""
        with self._lock:
            self._unfinished += 1
        future = self._threads.submit(function, *args, **kwargs)
        future.add_done_callback(self._count_as_finished)
        return future

    def stop(self) -> None:
        self._threads.shutdown(wait=False)

    def _count_as_finished(self, _future: "Future[_Result]") -> None:
        # In the thread of the lane, or in the event loop when a call that waits is cancelled.
        with self._lock:
            self._unfinished -= 1


class Lanes:
    def __init__(self, limits: Limits) -> None:
        self._bulk_body_bytes = limits.bulk_body_bytes
        self.pages = Lane("pages", limits.pages)
        self.liveness = Lane("liveness", limits.liveness)
        self.monitoring = Lane("monitoring", limits.monitoring)
        self.sign_in = Lane("sign-in", limits.sign_in)
        self.bulk = Lane("bulk", limits.bulk)

    def choose(self, method: str, path: str, body_bytes: int) -> Lane:
        if path == LIVENESS_PATH:
            return self.liveness
        if path in MONITORING_PATHS:
            return self.monitoring
        if method == "POST" and path.startswith(SIGN_IN_PATHS):
            return self.sign_in
        return self.bulk if body_bytes > self._bulk_body_bytes else self.pages

    def stop(self) -> None:
        for lane in (self.pages, self.liveness, self.monitoring, self.sign_in, self.bulk):
            lane.stop()
