"""The consents that end in the coming days."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final
from uuid import UUID

from django.conf import settings
from django.contrib.auth.models import User
from django.core.cache import caches
from django.db.models import Count, F, Q, Window
from django.db.models.functions import RowNumber, TruncDate
from django.utils import timezone

from dashboard.overview.standings import CACHE_SECONDS
from tokens.models import Connection, ConsentState, where_consent, where_live
from tokens.permissions import read_limits

# Of each day.
MAX_NAMED: Final = 3


@dataclass(frozen=True, kw_only=True)
class EndingConsent:
    """A day on which consents end, with the first logins of that day."""

    day: date
    number: int
    logins: Sequence[tuple[UUID, str]]


@dataclass(frozen=True)
class EndingConsents:
    days: Sequence[EndingConsent]
    # Nobody is known who could be asked to renew them.
    without_contact: int

    @property
    def number(self) -> int:
        return sum(each.number for each in self.days)


def read_ending_consents(user: User) -> EndingConsents:
    """Return the consents that end within 30 days. Costs one query, or none for a while."""
    key = f"consents:{user.pk}:{read_limits(user).team_id}:{timezone.get_current_timezone_name()}"
    found: EndingConsents | None = caches["process"].get(key)
    if found is None:
        found = _read(user)
        caches["process"].set(key, found, CACHE_SECONDS)
    return found


def _read(user: User) -> EndingConsents:
    zone = timezone.get_current_timezone()
    day = TruncDate(F("consented_at") + timedelta(days=settings.CONSENT_DAYS), tzinfo=zone)
    placed = (
        Connection.objects.visible_to(user)
        .filter(where_live(), where_consent(ConsentState.ENDS_IN_30))
        .annotate(
            day=day,
            place=Window(RowNumber(), partition_by=[day], order_by=[F("label").asc(), F("pk").asc()]),
            number=Window(Count("pk"), partition_by=[day]),
            unknown=Window(Count("pk", filter=Q(contact_email=""))),
        )
    )
    rows = placed.filter(place__lte=MAX_NAMED).order_by("day", "place")
    days: dict[date, tuple[int, list[tuple[UUID, str]]]] = {}
    without_contact = 0
    for pk, label, ends, number, unknown in rows.values_list("pk", "label", "day", "number", "unknown"):
        days.setdefault(ends, (number, []))[1].append((pk, label))
        without_contact = unknown
    return EndingConsents(
        [EndingConsent(day=each, number=number, logins=logins) for each, (number, logins) in days.items()],
        without_contact,
    )
