"""How fast one person may ask."""

import time
from dataclasses import dataclass
from datetime import timedelta
from threading import Lock
from typing import TYPE_CHECKING

from django.utils import timezone
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

from tokens.models import AccessTokenRequest

if TYPE_CHECKING:
    # It imports this module, by its name in the settings.
    from rest_framework.views import APIView

SAFE = {"GET", "HEAD", "OPTIONS"}
FORGET_ABOVE = 10_000  # people


@dataclass(frozen=True)
class Pace:
    per_second: float
    burst: int


READING = Pace(per_second=100, burst=1_000)
WRITING = Pace(per_second=20, burst=200)


class PersonThrottle(BaseThrottle):
    """A generic cell rate: each request moves the person's own clock on; it may run ahead by the burst.

    Each web process counts for itself, which costs no query.
    """

    _clocks: dict[tuple[object, bool], float] = {}
    _lock = Lock()

    def __init__(self) -> None:
        self._wait: float | None = None

    def allow_request(self, request: Request, view: "APIView") -> bool:
        del view
        reads = request.method in SAFE
        pace = READING if reads else WRITING
        key, now = (request.user.pk, reads), time.monotonic()
        with self._lock:
            ahead = max(self._clocks.get(key, now), now) - now + 1 / pace.per_second
            if ahead > pace.burst / pace.per_second:
                self._wait = ahead - pace.burst / pace.per_second
                return False
            if len(self._clocks) > FORGET_ABOVE:
                self._clocks.clear()
            self._clocks[key] = now + ahead
        return True

    def wait(self) -> float | None:
        return self._wait

    @classmethod
    def forget(cls) -> None:
        with cls._lock:
            cls._clocks.clear()


class AccessTokenThrottle(BaseThrottle):
    """So many access tokens a minute for one person, however many web processes there are: the audit is counted."""

    most_per_minute = 60

    def allow_request(self, request: Request, view: "APIView") -> bool:
        del view
        since = timezone.now() - timedelta(minutes=1)
        asked = AccessTokenRequest.objects.filter(user=request.user.pk, requested_at__gt=since)
        return asked.count() < self.most_per_minute

    def wait(self) -> float | None:
        return 60
