"""The headers RateLimit-Policy and RateLimit of draft-ietf-httpapi-ratelimit-headers: what a client may still ask for."""

import math
from collections.abc import Callable
from typing import Final

from django.http import HttpRequest, HttpResponse
from rest_framework.request import Request

from tokens.people.hand_out_pace import Pace

# Of the request, whose META the request of REST framework shares.
REMEMBERED: Final = "amazon_accounts.rate_limits"


def note_limit(request: Request, pace: Pace, seconds_ahead: float) -> None:
    """Remember for the headers of the answer how far the clock of this limit is ahead of the time."""
    limits: dict[Pace, float] = request.META.setdefault(REMEMBERED, {})
    limits[pace] = seconds_ahead


def build_headers(limits: dict[Pace, float]) -> dict[str, str]:
    policies = [f'"{pace.name}";q={pace.burst};w={math.ceil(pace.window)}' for pace in limits]
    left = [
        f'"{pace.name}";r={_count_left(pace, ahead)};t={math.ceil(ahead)}' for pace, ahead in limits.items()
    ]
    return {"RateLimit-Policy": ", ".join(policies), "RateLimit": ", ".join(left)}


def _count_left(pace: Pace, seconds_ahead: float) -> int:
    # 998.9999999 are 999.
    return max(math.floor((pace.window - seconds_ahead) * pace.per_second + 1e-6), 0)


class RateLimitMiddleware:
    """Tells the limits that the request was counted by, whatever the answer is."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        if limits := request.META.get(REMEMBERED):
            for name, value in build_headers(limits).items():
                response[name] = value
        return response
