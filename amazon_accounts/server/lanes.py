"""Lanes: each is a number of threads with a bounded queue, so that one kind of request cannot delay the others."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from threading import Lock
from typing import ParamSpec, TypeVar

from amazon_accounts.server.limits import LaneSize, Limits

LIVENESS_PATH = "/healthz"
MONITORING_PATHS = ("/readyz", "/metrics")
# A POST below this path may be a guess. Here its answer only finds out whether a password must be hashed.
SIGN_IN_PATH = "/auth/"
# These answers wait for Amazon or for the provider of OpenID Connect.
OUTSIDE_PATHS = ("/auth/oidc/", "/connect/amazon/callback/")
# In the environ of WSGI: a `Hashing`.
HASHING = "amazon_accounts.hashing"

_Parameters = ParamSpec("_Parameters")
_Result = TypeVar("_Result")


@dataclass
class Hashing:
    """What the application says about one request that must hash a password.

    Unless `is_allowed`, the application hashes nothing: it sets `is_wanted`, and the request is run once more, where
    hashing is allowed. Its first answer is thrown away.
    """

    is_allowed: bool = False
    is_wanted: bool = False
    # Somebody who is signed in or has signed in with this browser before: they wait for no stranger.
    is_known: bool = False


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
        self._lanes: list[Lane] = []
        self.pages = self._open("pages", limits.pages)
        self.liveness = self._open("liveness", limits.liveness)
        self.monitoring = self._open("monitoring", limits.monitoring)
        self.sign_in = self._open("sign-in", limits.sign_in)
        self.outside = self._open("outside", limits.outside)
        self.hashing = self._open("hashing", limits.hashing)
        self.hashing_for_known = self._open("hashing for known people", limits.hashing)
        self.bulk = self._open("bulk", limits.bulk)

    def _open(self, name: str, size: LaneSize) -> Lane:
        self._lanes.append(Lane(name, size))
        return self._lanes[-1]

    def choose(self, method: str, path: str, body_bytes: int) -> Lane:
        if path == LIVENESS_PATH:
            return self.liveness
        if path in MONITORING_PATHS:
            return self.monitoring
        if path.startswith(OUTSIDE_PATHS):
            return self.outside
        if method == "POST" and path.startswith(SIGN_IN_PATH):
            return self.sign_in
        return self.bulk if body_bytes > self._bulk_body_bytes else self.pages

    def choose_for_hashing(self, hashing: Hashing) -> Lane:
        return self.hashing_for_known if hashing.is_known else self.hashing

    def stop(self) -> None:
        for lane in self._lanes:
            lane.stop()
