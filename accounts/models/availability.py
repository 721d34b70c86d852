"""What the minutes of one month were, for one connection."""

from datetime import UTC, datetime, time, timedelta
from functools import reduce
from operator import add
from typing import Final

from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now

from tokens.models import Connection

TOKEN_COLUMNS: Final = (
    "token_valid",
    "lost_to_amazon",
    "lost_to_consent",
    "lost_to_us",
    "disconnected",
    "token_unknown",
)
SYNC_COLUMNS: Final = ("sync_fresh", "sync_late", "sync_off", "sync_unknown")


def _adds_up(columns: tuple[str, ...]) -> Q:
    return Q(minutes=reduce(add, map(F, columns)))


def _percent(part: int, whole: int) -> float | None:
    # Rounded down: it is 100 only if nothing is missing.
    return part * 10_000 // whole / 100 if whole else None


class Availability(models.Model):
    """Every minute of a month counts once for the token and once for the sync.

    Stored when the month is over, and kept for ever. A month that is not over yet is counted up to now and not stored.
    """

    id = models.BigAutoField(primary_key=True)
    connection = models.ForeignKey(
        Connection, on_delete=models.PROTECT, related_name="availability", db_index=False
    )
    # Its first day. Months are those of UTC.
    month = models.DateField()
    minutes = models.PositiveIntegerField()

    token_valid = models.PositiveIntegerField()
    lost_to_amazon = models.PositiveIntegerField()
    lost_to_consent = models.PositiveIntegerField()
    lost_to_us = models.PositiveIntegerField()
    disconnected = models.PositiveIntegerField()
    token_unknown = models.PositiveIntegerField()

    sync_fresh = models.PositiveIntegerField()
    sync_late = models.PositiveIntegerField()
    sync_off = models.PositiveIntegerField()
    sync_unknown = models.PositiveIntegerField()
    # The accounts were late when the last good sync was older than this.
    late_after_seconds = models.PositiveIntegerField()

    counted_at = models.DateTimeField(db_default=Now())

    class Meta:
        verbose_name_plural = "availability"
        ordering = ["connection", "-month"]
        constraints = [
            models.UniqueConstraint(
                fields=["connection", "month"], name="one_availability_per_connection_and_month"
            ),
            models.CheckConstraint(condition=Q(month__day=1), name="availability_is_of_a_month"),
            models.CheckConstraint(
                condition=Q(minutes__in=[days * 24 * 60 for days in (28, 29, 30, 31)]),
                name="stored_availability_is_of_a_whole_month",
            ),
            models.CheckConstraint(condition=_adds_up(TOKEN_COLUMNS), name="minutes_of_the_token_add_up"),
            models.CheckConstraint(condition=_adds_up(SYNC_COLUMNS), name="minutes_of_the_sync_add_up"),
        ]

    def __str__(self) -> str:
        return f"{self.connection_id} {self.month_text}"

    @property
    def month_text(self) -> str:
        return f"{self.month:%Y-%m}"

    @property
    def is_final(self) -> bool:
        return self.pk is not None

    @property
    def until(self) -> datetime:
        return datetime.combine(self.month, time.min, UTC) + timedelta(minutes=self.minutes)

    @property
    def token_valid_percent(self) -> float | None:
        """The share of the minutes in which the connection was to have a token; None if there were none."""
        lost = self.lost_to_amazon + self.lost_to_consent + self.lost_to_us
        return _percent(self.token_valid, self.token_valid + lost)

    @property
    def sync_fresh_percent(self) -> float | None:
        return _percent(self.sync_fresh, self.sync_fresh + self.sync_late)
