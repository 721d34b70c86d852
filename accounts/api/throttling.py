"""Limits of how many requests one key or person may make."""

import time
from collections import OrderedDict
from collections.abc import Hashable
from threading import Lock
from typing import TYPE_CHECKING, cast

from rest_framework.exceptions import Throttled
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

from accounts.api.rate_limits import note_limit
from tokens.models import ApiKey
from tokens.people.hand_out_pace import HAND_OUTS, Pace, take_hand_outs

if TYPE_CHECKING:
    # REST framework imports this module by its name in the settings.
    from rest_framework.views import APIView

SAFE = {"GET", "HEAD", "OPTIONS"}


READING = Pace("reads", per_second=100, burst=1_000)
WRITING = Pace("writes", per_second=20, burst=200)
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
            clock = max(self._clocks.get(key, now), now)
            if seconds := pace.seconds_to_wait(clock - now):
                return seconds
            self._clocks[key] = clock + 1 / pace.per_second
            self._clocks.move_to_end(key)
            # A clock that was not moved for long is behind the time, so nobody gains by losing it.
            if len(self._clocks) > self._max_clocks:
                self._clocks.popitem(last=False)
        return 0.0

    def seconds_ahead(self, key: Hashable, now: float) -> float:
        with self._lock:
            return max(self._clocks.get(key, now) - now, 0.0)

    def clear(self) -> None:
        with self._lock:
            self._clocks.clear()


class CallerThrottle(BaseThrottle):
    # Each web process counts for itself, which costs no query.
    clocks = RequestClocks()

    def __init__(self) -> None:
        self._wait: float | None = None

    def allow_request(self, request: Request, _view: "APIView") -> bool:
        reads = request.method in SAFE
        pace = READING if reads else WRITING
        caller, now = (get_caller(request), reads), time.monotonic()
        seconds = self.clocks.seconds_to_wait(caller, pace, now)
        note_limit(request, pace, self.clocks.seconds_ahead(caller, now))
        self._wait = seconds or None
        return not seconds

    def wait(self) -> float | None:
        return self._wait


def get_caller(request: Request) -> Hashable:
    """Return who is counted: each key by itself, and a person with all their sessions."""
    return request.auth.pk if isinstance(request.auth, ApiKey) else request.user.pk


def count_hand_outs(request: Request, number: int) -> None:
    """Count the access tokens that the key asks for. Raises Throttled if they are too many, and counts none of them."""
    # The endpoints of access tokens accept keys alone.
    turn = take_hand_outs(cast("ApiKey", request.auth).pk, number)
    note_limit(request, HAND_OUTS, turn.seconds_ahead)
    if not turn.is_taken:
        # A parallel request may have taken turns since the clock was read.
        raise Throttled(wait=max(HAND_OUTS.seconds_to_wait(turn.seconds_ahead, number), 1))
