"""Limits of how many requests one key or person may make."""

from typing import TYPE_CHECKING, cast

from rest_framework.exceptions import Throttled
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

from accounts.api.rate_limits import note_limit
from tokens.models import ApiKey
from tokens.people.hand_out_pace import HAND_OUTS, take_hand_outs
from tokens.people.request_pace import READS, WRITES, take_request

if TYPE_CHECKING:
    # REST framework imports this module by its name in the settings.
    from rest_framework.views import APIView

SAFE = {"GET", "HEAD", "OPTIONS"}


class CallerThrottle(BaseThrottle):
    def __init__(self) -> None:
        self._wait: float | None = None

    def allow_request(self, request: Request, _view: "APIView") -> bool:
        pace = READS if request.method in SAFE else WRITES
        turn = take_request(name_caller(request), pace)
        if turn is None:
            return True
        note_limit(request, pace, turn.seconds_ahead)
        if not turn.is_taken:
            # A turn may have come back since the clock was read.
            self._wait = max(pace.seconds_to_wait(turn.seconds_ahead), 1 / pace.per_second)
        return turn.is_taken

    def wait(self) -> float | None:
        return self._wait


def name_caller(request: Request) -> str:
    """Return who is counted: each key by itself, and a person with all their sessions."""
    return f"key {request.auth.pk}" if isinstance(request.auth, ApiKey) else f"person {request.user.pk}"


def count_hand_outs(request: Request, number: int) -> None:
    """Count the access tokens that the key asks for. Raises Throttled if they are too many, and counts none of them."""
    # The endpoints of access tokens accept keys alone.
    turn = take_hand_outs(cast("ApiKey", request.auth).pk, number)
    note_limit(request, HAND_OUTS, turn.seconds_ahead)
    if not turn.is_taken:
        # A parallel request may have taken turns since the clock was read.
        raise Throttled(wait=max(HAND_OUTS.seconds_to_wait(turn.seconds_ahead, number), 1))
