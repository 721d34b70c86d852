"""When a person gets mail about alerts: at once, after the quiet hours, or once a day in one mail."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.db.models import F
from django.db.models.functions import Coalesce, Least

from amazon_accounts.postgresql.clock import database_now
from tokens.models import Alert, AlertTimes, WaitingAlert


@dataclass(frozen=True)
class Times:
    """The times of day that a person has chosen. Without any, mail comes at once."""

    quiet_from: time | None = None
    quiet_until: time | None = None
    digest_at: time | None = None
    # The name of the zone of these times.
    zone: str = "UTC"

    @property
    def is_at_once(self) -> bool:
        return self.digest_at is None and self.quiet_from is None

    def check(self) -> None:
        """Raise ValidationError for times that make no sense."""
        if (self.quiet_from is None) != (self.quiet_until is None):
            raise ValidationError("Quiet hours need a begin and an end.")
        if self.quiet_from is not None and self.quiet_from == self.quiet_until:
            raise ValidationError("Quiet hours must end at another time than they begin.")
        if self.zone not in available_timezones():
            raise ValidationError("The time zone is not known.")

    def find_next_mail(self, now: datetime) -> datetime | None:
        """Return when an alert of this moment is mailed; None for at once."""
        if self.digest_at is not None:
            return _find_next(self.digest_at, self.zone, now)
        if self.quiet_from is None or self.quiet_until is None:
            return None
        local = now.astimezone(ZoneInfo(self.zone)).time()
        begin, end = self.quiet_from, self.quiet_until
        is_quiet = begin <= local < end if begin < end else local >= begin or local < end
        return _find_next(end, self.zone, now) if is_quiet else None

    def as_data(self) -> dict[str, Any]:
        if self.is_at_once:
            return {}
        times = {"quiet_from": self.quiet_from, "quiet_until": self.quiet_until, "digest_at": self.digest_at}
        return {name: f"{at:%H:%M}" for name, at in times.items() if at is not None} | {"zone": self.zone}


def read_times(user: User) -> Times:
    row = AlertTimes.objects.filter(user=user).first()
    return times_of(row) if row is not None else Times()


def times_of(row: AlertTimes) -> Times:
    return Times(row.quiet_from, row.quiet_until, row.digest_at, row.zone)


def store_times(user: User, times: Times) -> None:
    """Replace the times of the person. What waits is mailed at the new time, or now. Part of the caller's transaction."""
    now = database_now()
    stored = AlertTimes.objects.select_for_update().filter(user=user).first()
    waits = WaitingAlert.objects.filter(user=user).exists()
    next_mail_at = times.find_next_mail(now) if times.digest_at or waits else None
    if waits and next_mail_at is None:
        next_mail_at = now
    if times.is_at_once and not waits:
        AlertTimes.objects.filter(user=user).delete()
        return
    if stored is not None and stored.message_id is not None:
        # A mail is being sent, or is tried again. After that the next one follows the new times.
        next_mail_at = stored.next_mail_at
    chosen = {
        "zone": times.zone,
        "quiet_from": times.quiet_from,
        "quiet_until": times.quiet_until,
        "digest_at": times.digest_at,
        "next_mail_at": next_mail_at,
    }
    AlertTimes.objects.update_or_create(user=user, defaults=chosen)


def find_waits(user_ids: Collection[int]) -> dict[int, datetime]:
    """Return when those of these people get mail who get none now."""
    now = database_now()
    rows = AlertTimes.objects.filter(user__in=user_ids)
    waits = {row.user_id: times_of(row).find_next_mail(now) for row in rows}
    return {user_id: until for user_id, until in waits.items() if until is not None}


def let_wait(user_id: int, alerts: Collection[Alert], until: datetime) -> None:
    """Keep the alerts for the next mail to the person. Part of the caller's transaction."""
    WaitingAlert.objects.bulk_create(
        [WaitingAlert(user_id=user_id, alert=alert) for alert in alerts], ignore_conflicts=True
    )
    # The person may want each mail at once since a moment ago.
    AlertTimes.objects.get_or_create(user_id=user_id, defaults={"zone": Times.zone})
    # A mail that is claimed or that failed keeps its time.
    AlertTimes.objects.filter(user=user_id).update(
        next_mail_at=Least(Coalesce(F("next_mail_at"), until), until)
    )


def _find_next(at: time, zone: str, now: datetime) -> datetime:
    """Return the next moment at which the clocks of the zone show this time."""
    here = now.astimezone(ZoneInfo(zone))
    found = datetime.combine(here.date(), at, here.tzinfo)
    if found <= now:
        found = datetime.combine(here.date() + timedelta(days=1), at, here.tzinfo)
    return found
