"""What the coming days bring: announced suspensions and ends of consents, as bars of a strip and as a list of days."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Final
from uuid import UUID

from django.contrib.auth.models import User
from django.db.models import Count, F, QuerySet, Window
from django.db.models.functions import RowNumber, TruncDate
from django.urls import reverse
from django.utils import timezone

from accounts.models import Account, Profile, Standing
from dashboard.overview.causes import SAID, name_cause
from dashboard.overview.consents import EndingConsent, EndingConsents
from dashboard.overview.standings import AHEAD_DAYS, Horizon, link_accounts, write_moment
from dashboard.status import Tone
from dashboard.templatetags.console import accounts as write_accounts

# Of each day.
MAX_NAMED: Final = 3
# Further days are folded.
DAYS_SHOWN: Final = 6
# The labels below the strip stand at the ends and at two places between.
LABELS: Final = 4
BAR_WIDTH: Final = 10
STRIP_HEIGHT: Final = 40
# An account that Amazon has stopped in one country may be announced for another country.
ANNOUNCED: Final = (Standing.AT_RISK, Standing.SUSPENDED)


@dataclass(frozen=True, kw_only=True)
class Named:
    name: str
    address: str
    countries: list[str]
    cause: str

    @property
    def below(self) -> str:
        stop = "stops" if len(self.countries) == 1 else "stop"
        countries = f"{', '.join(self.countries)} {stop}" if self.countries else ""
        return " · ".join(filter(None, (countries, self.cause)))


@dataclass(kw_only=True)
class Day:
    """The accounts that are announced for one day, and the logins whose consent ends; without a date, for days that have
    passed."""

    date: date | None
    # Days from today.
    distance: int
    number: int = 0
    accounts: list[Named] = field(default_factory=list)
    consents: EndingConsent | None = None
    # The accounts that are announced until the end of the day, and their list.
    until: int = 0
    address: str = ""

    @property
    def rest(self) -> int:
        return self.number - len(self.accounts)

    @property
    def heading(self) -> str:
        """How many accounts there are, and what is odd about their date."""
        accounts = write_accounts(self.number)
        if self.date is None:
            are = "it is" if self.number == 1 else "they are"
            return f"{accounts} whose date has passed. Amazon has not said that {are} stopped."
        return accounts if self.number > 1 else ""

    @property
    def tone(self) -> Tone:
        return "attention" if self.number else "off"

    @property
    def ending(self) -> str:
        """How many consents end, if not all of their logins are named."""
        consents = self.consents
        return (
            f"{consents.number:,} consents end" if consents and consents.number > len(consents.logins) else ""
        )

    @property
    def action(self) -> str:
        everything = f"See all {self.until:,} until then"
        return f"{self.rest:,} more. {everything}" if self.rest else everything

    @property
    def when(self) -> str:
        if self.date is None:
            return "before today"
        return {0: "today", 1: "tomorrow"}.get(self.distance, f"in {self.distance} days")


@dataclass(frozen=True, kw_only=True)
class Bar:
    x: int
    y: int
    width: int
    height: int
    title: str
    tone: Tone


@dataclass(frozen=True)
class Announced:
    horizon: Horizon
    days: list[Day]

    @property
    def number(self) -> int:
        return sum(day.number for day in self.days)

    @property
    def address(self) -> str:
        return _link(self.horizon, AHEAD_DAYS)

    @property
    def first_days(self) -> list[Day]:
        return self.days[:DAYS_SHOWN]

    @property
    def further_days(self) -> list[Day]:
        return self.days[DAYS_SHOWN:]

    @property
    def sentence(self) -> str:
        coming = [day for day in self.days if day.date is not None and day.number]
        if not coming:
            return f"Amazon announces no suspension for the next {AHEAD_DAYS} days."
        number = sum(day.number for day in coming)
        first, most = coming[0], max(coming, key=lambda day: day.number)
        accounts = write_accounts(number)
        if len(coming) == 1:
            return f"{accounts} will be suspended on {first.date:%-d %b}."
        peak = f", most on {most.date:%-d %b} ({most.number:,})" if most.number > 1 else ""
        return f"{accounts} will be suspended, the first on {first.date:%-d %b}{peak}."

    @property
    def view_box(self) -> str:
        return f"0 0 {(AHEAD_DAYS + 1) * BAR_WIDTH} {STRIP_HEIGHT}"

    @property
    def bars(self) -> list[Bar]:
        """One bar for each day; a day without a suspension has a flat one."""
        coming = {day.distance: day for day in self.days if day.date is not None}
        numbers = {
            at: day.number + (day.consents.number if day.consents else 0) for at, day in coming.items()
        }
        most = max(numbers.values(), default=0)
        bars = []
        for distance in range(AHEAD_DAYS + 1):
            number = numbers.get(distance, 0)
            # A day with one account among thousands must still be higher than a day without any.
            height = max(8, STRIP_HEIGHT * number // most) if number else 2
            title = f"{_show_day(self.horizon, distance)}: {_name_events(coming[distance])}" if number else ""
            bars.append(
                Bar(
                    x=distance * BAR_WIDTH + 1,
                    y=STRIP_HEIGHT - height,
                    width=BAR_WIDTH - 3,
                    height=height,
                    title=title,
                    tone=coming[distance].tone if number else "off",
                )
            )
        return bars

    @property
    def labels(self) -> list[str]:
        step = AHEAD_DAYS // (LABELS - 1)
        return [_show_day(self.horizon, step * place) for place in range(LABELS)]


def read_announced(user: User, horizon: Horizon, ending: EndingConsents) -> Announced:
    """Return the days for which Amazon announces suspensions, or on which consents end.

    Costs two queries, or one if no suspension is announced.
    """
    rows = list(_first_of_each_day(user, horizon))
    said = _read_profiles({pk: announced for pk, _, _, announced, _ in rows})
    days: dict[date | None, Day] = {}
    counted: set[date] = set()
    today = horizon.today.date()
    for pk, name, amazon_account_id, announced, number in rows:
        key = announced if announced >= today else None
        distance = (announced - today).days if key else -1
        day = days.setdefault(key, Day(date=key, distance=distance))
        if announced not in counted:
            counted.add(announced)
            day.number += number
        if len(day.accounts) < MAX_NAMED:
            countries, cause = said.get(pk, ([], ""))
            day.accounts.append(
                Named(
                    name=name or f"(no name) {amazon_account_id}",
                    address=reverse("account", args=[pk]),
                    countries=countries,
                    cause=cause,
                )
            )
    for consents in ending.days:
        distance = (consents.day - today).days
        days.setdefault(consents.day, Day(date=consents.day, distance=distance)).consents = consents
    ordered = sorted(days.values(), key=lambda day: day.distance)
    until = 0
    for day in ordered:
        until += day.number
        day.until = until
        day.address = _link(horizon, day.distance)
    return Announced(horizon, ordered)


def _name_events(day: Day) -> str:
    consents = day.consents.number if day.consents else 0
    ends = f"{consents:,} consent{' ends' if consents == 1 else 's end'}" if consents else ""
    return ", ".join(filter(None, (write_accounts(day.number) if day.number else "", ends)))


def _link(horizon: Horizon, distance: int) -> str:
    return link_accounts(
        {
            "standing": [str(standing) for standing in ANNOUNCED],
            "suspension_before": [write_moment(horizon.end_of(distance))],
        }
    )


def _show_day(horizon: Horizon, distance: int) -> str:
    return f"{horizon.start_of(distance):%-d %b}"


def _first_of_each_day(user: User, horizon: Horizon) -> QuerySet[Any]:
    announced = TruncDate("suspension_at", tzinfo=timezone.get_current_timezone())
    order = [F("suspension_at").asc(), F("name").asc(), F("pk").asc()]
    accounts = Account.objects.visible_to(user).filter(
        standing__in=ANNOUNCED, suspension_at__lt=horizon.end_of(AHEAD_DAYS)
    )
    placed = accounts.annotate(
        announced=announced,
        place=Window(RowNumber(), partition_by=[announced], order_by=order),
        number=Window(Count("pk"), partition_by=[announced]),
    )
    first: QuerySet[Any] = placed.filter(place__lte=MAX_NAMED).order_by("suspension_at", "name", "pk")
    return first.values_list("pk", "name", "amazon_account_id", "announced", "number")


def _read_profiles(accounts: Mapping[UUID, date]) -> dict[UUID, tuple[list[str], str]]:
    """Return for each account the countries where it will be stopped on its day, and why."""
    if not accounts:
        return {}
    profiles = Profile.objects.filter(account__in=accounts, suspension_at__isnull=False)
    rows = profiles.annotate(said=SAID).order_by("suspension_at", "country_code", "pk")
    found: dict[UUID, tuple[list[str], str]] = {}
    for account, country, moment, said in rows.values_list(
        "account_id", "country_code", "suspension_at", "said"
    ):
        countries, _ = found.setdefault(account, ([], name_cause(said)))
        is_on_the_day = timezone.localtime(moment).date() == accounts[account]
        if is_on_the_day and country and country not in countries:
            countries.append(country)
    return found
