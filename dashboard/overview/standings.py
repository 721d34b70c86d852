"""How many accounts cannot advertise, or soon not, and why: the first figures of the overview.

Each figure that a page links has the filters of the list that shows the same accounts.
"""

import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from urllib.parse import urlencode

from django.contrib.auth.models import User
from django.core.cache import caches
from django.db.models import BooleanField, Case, Count, Exists, F, Func, JSONField, OuterRef, Q, Value, When
from django.db.models.expressions import Combinable
from django.db.models.functions import Now
from django.urls import reverse
from django.utils import timezone

from accounts.models import Account, Profile, Standing, SyncRun
from accounts.models.account import AccountQuerySet
from amazon_accounts.postgresql.clock import approximate_now
from dashboard.overview.causes import OTHER, find_cause, name_cause
from tokens.permissions import read_limits

# Counting the accounts of a large console takes too long to do it for each page. The figures are kept at least so long,
# and so many times as long as it took to count them.
CACHE_SECONDS: Final = 30
CACHE_SHARE: Final = 50
SOON_DAYS: Final = 7
AHEAD_DAYS: Final = 30

TROUBLED: Final = (Standing.SUSPENDED, Standing.AT_RISK, Standing.SET_UP)
# Amazon's billing knows no manager accounts and DSP advertisers.
WITHOUT_BILLING: Final = (Account.Type.MANAGER, Account.Type.ADVERTISER)
# The accounts of which Amazon's billing could tell something, and of which nothing is known.
UNTOLD: Final[Mapping[str, list[str]]] = {
    "status": [str(Account.Status.ACTIVE), str(Account.Status.UNKNOWN)],
    "standing": [str(Standing.UNKNOWN)],
    "account_type": [str(kind) for kind in Account.Type if kind not in WITHOUT_BILLING],
}
REFUSED, NOT_ASKED = "not told to the connected logins", "not answered yet"

Filters = Mapping[str, list[str]]


def link_accounts(filters: Filters) -> str:
    return f"{reverse('accounts')}?{urlencode(filters, doseq=True)}"


@dataclass
class Tally:
    """A number of accounts with its causes, and the filters of the list that shows these accounts."""

    filters: Filters
    number: int = 0
    causes: Counter[str] = field(default_factory=Counter)

    def add(self, number: int, cause: str = "") -> None:
        self.number += number
        if cause:
            self.causes[cause] += number

    @property
    def address(self) -> str:
        return link_accounts(self.filters)

    @property
    def consists_of(self) -> str:
        """The causes with their numbers, the most frequent first: "invoice overdue 5 · balance too low 1"."""
        ordered = sorted(self.causes.items(), key=lambda each: (each[0] == OTHER, -each[1], each[0]))
        return " · ".join(f"{cause} {number:,}" for cause, number in ordered if number > 0)


@dataclass(frozen=True)
class Horizon:
    """The days that the overview looks ahead: today and the days after it, in the zone of the person."""

    today: datetime

    @classmethod
    def read(cls) -> "Horizon":
        now = timezone.localtime(approximate_now())
        return cls(now.replace(hour=0, minute=0, second=0, microsecond=0))

    def start_of(self, days: int) -> datetime:
        """Return the midnight at which the day after so many days begins."""
        # The clock is moved and not the time, because a day on which the clocks change has no 24 hours.
        return timezone.make_aware(self.today.replace(tzinfo=None) + timedelta(days=days))

    def end_of(self, days: int) -> datetime:
        return self.start_of(days + 1)


def write_moment(moment: datetime) -> str:
    """Return a moment as `suspension_before` takes it."""
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


class Standings:
    """The figures of the accounts that one person sees."""

    def __init__(self, horizon: Horizon) -> None:
        at_risk = [str(Standing.AT_RISK)]
        self.live = 0
        self.good = Tally({"status": ["active"], "standing": ["good", *at_risk]})
        self.suspended = Tally({"status": ["suspended"]})
        self.at_risk = Tally({"standing": at_risk})
        self.soon = Tally(
            {"standing": at_risk, "suspension_before": [write_moment(horizon.end_of(SOON_DAYS))]}
        )
        self.ahead = Tally(
            {"standing": at_risk, "suspension_before": [write_moment(horizon.end_of(AHEAD_DAYS))]}
        )
        # At risk without a date, or with one that is further ahead.
        self.undated = Tally({"standing": at_risk})
        self.later = 0
        self.set_up = Tally({"standing": [str(Standing.SET_UP)]})
        self.registering = Tally({"status": ["pending"], "standing": ["good", "unknown"]})
        # An inactive account has a health only if its registration failed.
        self.failed = Tally({"status": ["inactive"], "health": ["attention", "problem"]})
        self.untold = Tally(UNTOLD)
        self.asked_at: datetime | None = None

    @property
    def is_all_good(self) -> bool:
        """Whether Amazon says of each account that has a billing that it can advertise."""
        others = (self.suspended, self.at_risk, self.set_up, self.registering, self.failed, self.untold)
        return self.good.number > 0 and not any(tally.number for tally in others)


def read_standings(user: User, horizon: Horizon) -> Standings:
    key = f"standings:{user.pk}:{read_limits(user).team_id}:{horizon.today.isoformat()}"
    found: Standings | None = caches["process"].get(key)
    if found is None:
        began = time.perf_counter()
        found = _count(user, horizon)
        took = time.perf_counter() - began
        # Who has just connected the first login waits for its accounts, and counting none takes no time.
        if found.live:
            caches["process"].set(key, found, max(CACHE_SECONDS, CACHE_SHARE * took))
    return found


def _count(user: User, horizon: Horizon) -> Standings:
    """Count in two queries."""
    found = Standings(horizon)
    accounts = Account.objects.visible_to(user)
    told = accounts.filter(Q(standing__in=TROUBLED) | Q(status=Account.Status.SUSPENDED))
    refusals = Profile.objects.filter(account=OuterRef("pk")).exclude(billing_refusals={})
    refused = accounts.filter(Exists(refusals), **{f"{name}__in": values for name, values in UNTOLD.items()})
    rows = _group(accounts, "all", detail=_kind_of_account()).union(
        _group(told, "told", detail=_nearness(horizon), said=find_cause()),
        _group(refused, "refused"),
        all=True,
    )
    # Django 6.1 gives a union the order of its model.
    rows = rows.order_by()
    for kind, status, standing, detail, said, number in rows:
        if kind == "all":
            _add_account(found, status, standing, detail, number)
        elif kind == "told":
            _add_told(found, status, standing, detail, name_cause(said), number)
        else:
            found.untold.causes[REFUSED] += number
            found.untold.causes[NOT_ASKED] -= number
    found.asked_at = _find_last_question(user)
    return found


def _group(
    accounts: AccountQuerySet,
    kind: str,
    *,
    detail: Combinable | None = None,
    said: Combinable | None = None,
) -> Any:
    columns = accounts.order_by().annotate(
        kind=Value(kind),
        detail=detail or Value(""),
        said=said or Value(None, output_field=JSONField()),
    )
    grouped = columns.values_list("kind", "status", "standing", "detail", "said")
    # To count ids the table would be read; the index has no ids.
    return grouped.annotate(number=Count("*"))


def _kind_of_account() -> Case:
    failed = Q(inactive_reason=Account.InactiveReason.REGISTRATION_FAILED)
    return Case(
        When(failed, then=Value("failed")),
        When(account_type__in=WITHOUT_BILLING, then=Value("without billing")),
        default=Value(""),
    )


def _nearness(horizon: Horizon) -> Case:
    return Case(
        When(suspension_at__lt=horizon.end_of(SOON_DAYS), then=Value("soon")),
        When(suspension_at__lt=horizon.end_of(AHEAD_DAYS), then=Value("ahead")),
        When(suspension_at__isnull=False, then=Value("later")),
        default=Value(""),
    )


def _add_account(found: Standings, status: str, standing: str, kind: str, number: int) -> None:
    if status != Account.Status.INACTIVE:
        found.live += number
    elif kind == "failed":
        found.failed.add(number)
    if status == Account.Status.ACTIVE and standing in {Standing.GOOD, Standing.AT_RISK}:
        found.good.add(number)
    elif status == Account.Status.PENDING and standing in {Standing.GOOD, Standing.UNKNOWN}:
        found.registering.add(number)
    elif status in UNTOLD["status"] and standing in UNTOLD["standing"] and kind != "without billing":
        found.untold.add(number, NOT_ASKED)


def _add_told(found: Standings, status: str, standing: str, nearness: str, cause: str, number: int) -> None:
    if status == Account.Status.SUSPENDED:
        found.suspended.add(number, cause)
    if standing == Standing.SET_UP:
        found.set_up.add(number, cause)
    if standing != Standing.AT_RISK:
        return
    found.at_risk.add(number, cause)
    if nearness == "soon":
        found.soon.add(number, cause)
    if nearness in {"soon", "ahead"}:
        found.ahead.add(number, cause)
        return
    found.undated.add(number, cause)
    if nearness == "later":
        found.later += number


def _find_last_question(user: User) -> datetime | None:
    """Return the end of the last run in which Amazon's billing answered, of the last day."""
    answered = Func(
        F("sources"),
        Value('$[*] ? (@.source == "billing" && @.seen > 0)'),
        function="jsonb_path_exists",
        template="%(function)s(%(expressions)s::jsonpath)",
        output_field=BooleanField(),
    )
    runs = SyncRun.objects.visible_to(user).filter(
        finished_at__isnull=False, created_at__gt=Now() - timedelta(days=1)
    )
    moments = runs.annotate(answered=answered).filter(answered=True).order_by("-created_at", "-id")
    return moments.values_list("finished_at", flat=True).first()
