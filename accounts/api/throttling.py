"""Limits of how many requests one person may make."""

import time
from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass
from datetime import timedelta
from threading import Lock
from typing import TYPE_CHECKING

from django.db.models.functions import Now
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

from tokens.models import AccessTokenRequest

if TYPE_CHECKING:
    # REST framework imports this module by its name in the settings.
    from rest_framework.views import APIView

SAFE = {"GET", "HEAD", "OPTIONS"}


@dataclass(frozen=True)
class Pace:
    per_second: float
    burst: int


READING = Pace(per_second=100, burst=1_000)
WRITING = Pace(per_second=20, burst=200)
MAX_CLOCKS = 10_000


class RequestClocks:
    # The generic cell rate algorithm: each request moves the clock of its key forward. A clock may be ahead of the
    # time by the burst.

    def __init__(self, *, max_clocks: int = MAX_CLOCKS) -> None:
        self._max_clocks = max_clocks
        self._clocks: OrderedDict[Hashable, float] = OrderedDict()
        self._lock = Lock()

    def seconds_to_wait(self, key: Hashable, pace: Pace, now: float) -> float:
        """Return 0 and count the request, or return how long the caller must wait."""
        with self._lock:
            ahead = max(self._clocks.get(key, now), now) - now + 1 / pace.per_second
            too_far = ahead - pace.burst / pace.per_second
            if too_far > 0:
                return too_far
            self._clocks[key] = now + ahead
            self._clocks.move_to_end(key)
            # A clock that was not moved for long is behind the time, so nobody gains by losing it.
            if len(self._clocks) > self._max_clocks:
                self._clocks.popitem(last=False)
        return 0.0

    def clear(self) -> None:
        with self._lock:
            self._clocks.clear()


class PersonThrottle(BaseThrottle):
    # Each web process counts for itself, which costs no query.
    clocks = RequestClocks()

    def __init__(self) -> None:
        self._wait: float | None = None

    def allow_request(self, request: Request, _view: "APIView") -> bool:
        reads = request.method in SAFE
        pace = READING if reads else WRITING
        seconds = self.clocks.seconds_to_wait((request.user.pk, reads), pace, time.monotonic())
        self._wait = seconds or None
        return not seconds

    def wait(self) -> float | None:
        return self._wait


class AccessTokenThrottle(BaseThrottle):
    # Counts the audit of handed-out tokens, so that the limit holds across all web processes.
    max_per_minute = 60

    def allow_request(self, request: Request, _view: "APIView") -> bool:
        since = Now() - timedelta(minutes=1)
        asked = AccessTokenRequest.objects.filter(user=request.user.pk, requested_at__gt=since)
        return asked.count() < self.max_per_minute

    def wait(self) -> float | None:
        return 60
