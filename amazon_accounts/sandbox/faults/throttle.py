"""Rate limits: token buckets per region, endpoint, login or client, or one bucket for all calls.

Amazon publishes no limits, nor what it counts them by. A test can therefore set up every combination.
"""

import math
from dataclasses import dataclass, field
from email.utils import formatdate
from typing import Any, Literal, get_args

from amazon_accounts.sandbox.answers import Answer, message, page
from amazon_accounts.sandbox.calls import Call, check_place
from amazon_accounts.sandbox.choices import Choices, check_retry_after
from amazon_accounts.sandbox.clock import Clock

Per = Literal["region", "endpoint", "login", "client"]
THROTTLED_HEADERS = {
    "x-amzn-ErrorType": "AccessDeniedException",
    "x-amz-apigw-id": "SandboxApigwId=",
    "amazon-advertising-api-throttled": "true",
    "Vary": "Content-Type,Accept-Encoding,User-Agent",
}


#: Tolerance for rounding: seconds since 1970 as a float are exact to microseconds only.
ROUNDING = 1e-4


class BadLimitError(ValueError):
    """A limit has a negative rate or an unknown field."""


@dataclass
class _Bucket:
    level: float
    filled_at: float


@dataclass
class Limit:
    """`rate` calls a second and `burst` at once, in one bucket for each value of `per`."""

    name: str
    rate: float
    burst: float
    #: One bucket for each region, endpoint, ...; empty is one bucket for all calls.
    per: tuple[Per, ...] = ()
    #: The calls that the limit counts; an empty field matches every call. The path may be a pattern (`/dsp/*`).
    area: str = "api"
    path: str = ""
    region: str = ""
    login: str = ""
    #: One of RETRY_AFTER or a number of seconds; empty uses the field of Choices.
    retry_after: str = ""
    #: Answer with an HTML page instead of JSON.
    html: bool = False
    buckets: dict[tuple[object, ...], _Bucket] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        if self.rate < 0 or self.burst < 0:
            raise BadLimitError("rate and burst are not negative.")
        unknown = set(self.per) - set(get_args(Per))
        if unknown:
            raise BadLimitError(f"per takes {', '.join(get_args(Per))}, not {', '.join(sorted(unknown))}.")
        if self.retry_after:
            check_retry_after(self.retry_after)
        check_place(self.area, self.region)

    def matches(self, call: Call) -> bool:
        return call.is_at(area=self.area, path=self.path, region=self.region, login=self.login)

    def take(self, call: Call, now: float) -> float:
        """Take one call from its bucket. Returns 0, or the seconds to wait if the bucket is empty."""
        values = {
            "region": call.region,
            "endpoint": endpoint(call.path),
            "login": call.login.login_id if call.login else "",
            "client": call.client_id,
        }
        key = tuple(values[name] for name in self.per)
        bucket = self.buckets.setdefault(key, _Bucket(self.burst, now))
        bucket.level = min(self.burst, bucket.level + max(0.0, now - bucket.filled_at) * self.rate)
        bucket.filled_at = now
        if bucket.level >= 1 - ROUNDING:
            bucket.level -= 1
            return 0.0
        return (1 - bucket.level) / self.rate if self.rate else math.inf


class Throttle:
    """All limits. A call must pass every limit that matches it."""

    def __init__(self, clock: Clock, choices: Choices) -> None:
        self._clock = clock
        self._choices = choices
        self._refusals = 0
        self.limits: dict[str, Limit] = {}

    def limit(self, rate: float, burst: float | None = None, *, name: str = "limit", **options: Any) -> Limit:
        """Add a limit, or change the limit of this name. The buckets of a changed limit keep their levels."""
        before = self.limits.get(name)
        changed = Limit(name=name, rate=rate, burst=rate if burst is None else burst, **options)
        if before is not None and before.per == changed.per:
            changed.buckets = before.buckets
        self.limits[name] = changed
        return changed

    def lift(self, name: str = "") -> None:
        if name:
            del self.limits[name]
        else:
            self.limits.clear()

    def refuse(self, call: Call) -> Answer | None:
        now = self._clock.now()
        for limit in self.limits.values():
            if limit.matches(call) and (seconds := limit.take(call, now)):
                call.faults.append(f"limit {limit.name}")
                return self.too_many_requests(call, seconds, limit.retry_after, html=limit.html)
        return None

    def too_many_requests(
        self, call: Call, seconds: float, retry_after: str = "", *, html: bool = False
    ) -> Answer:
        self._refusals += 1
        if html:
            answer = page(429, "Too Many Requests", "Please slow down.")
        elif call.area != "api":
            answer = Answer(429, body=b"")  # Amazon does not document this answer.
        elif call.path.startswith("/adsAccounts/") and call.method == "GET":
            answer = message(429, "Maximum sending rate exceeded.")
        else:
            answer = message(429, "Too Many Requests")
        answer.headers.update(THROTTLED_HEADERS)
        value = self._retry_after(seconds, retry_after or self._choices.retry_after)
        if value is not None:
            answer.headers["Retry-After"] = value
        return answer

    def _retry_after(self, seconds: float, mode: str) -> str | None:
        whole = 60 if math.isinf(seconds) else max(1, math.ceil(seconds))
        if mode == "alternate":
            mode = "seconds" if self._refusals % 2 else "absent"
        match mode:
            case "absent":
                return None
            case "seconds":
                return str(whole)
            case "date":
                return formatdate(self._clock.now() + whole, usegmt=True)
            case "malformed":
                return "in a little while"
            case "negative":
                return "-5"
            case _:
                return mode


def endpoint(path: str) -> str:
    if path.startswith("/adsAccounts/"):
        return "/adsAccounts/list" if path == "/adsAccounts/list" else "/adsAccounts/{id}"
    for collection in ("/v2/profiles", "/dsp/advertisers"):
        if path.startswith(f"{collection}/") and path != f"{collection}/":
            return f"{collection}/{{id}}"
    if path.startswith("/billing/"):
        return "/billing"
    return path.rstrip("/") or path
