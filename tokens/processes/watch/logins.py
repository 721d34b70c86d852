"""Which logins fail now, and with which cause: those whose refresh fails, and those whose last sync failed."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final, cast
from uuid import UUID

from django.db.models import OuterRef, Subquery
from django.db.models.functions import Coalesce, Now

from amazon_accounts.amazon_ads import causes
from tokens.models import Connection, TokenRefresh
from tokens.refresh.delays import longest_retry_delay
from tokens.signals import failing_logins_wanted


class Cause(StrEnum):
    """What the failures of many logins may have in common."""

    # Amazon answers with an error of its own, not at all, or asks to wait. In one outage it does all of this.
    AWAY = "away"
    # Amazon answers that it will not do what was asked.
    REFUSED = "refused"
    # Anything else: a process died, or an error of our own.
    OTHER = "other"


class Part(StrEnum):
    REFRESH = "refresh"
    SYNC = "sync"


_SHARED: Final = {
    causes.Cause.NO_ANSWER: Cause.AWAY,
    causes.Cause.AMAZON_BUSY: Cause.AWAY,
    causes.Cause.NO_RIGHT: Cause.REFUSED,
    causes.Cause.REQUEST_REFUSED: Cause.REFUSED,
}


def find_shared_cause(cause: str | None) -> Cause:
    """Return what the failure of a login with this cause has in common with the failures of other logins."""
    return next((shared for each, shared in _SHARED.items() if each == cause), Cause.OTHER)


@dataclass(frozen=True)
class FailingLogin:
    connection_id: UUID
    label: str
    team_id: UUID
    part: Part
    cause: Cause
    # A sentence for people.
    error: str


def find_failing_logins() -> dict[UUID, FailingLogin]:
    """Return the logins that fail, each once, by the ids of their connections."""
    found: list[FailingLogin] = []
    for _, answer in failing_logins_wanted.send(sender=Connection):
        found += cast("list[FailingLogin]", answer)
    # Without a token no sync succeeds, so a refresh that fails is the cause of both.
    return {failing.connection_id: failing for failing in [*found, *_find_failing_refreshes()]}


def _find_failing_refreshes() -> list[FailingLogin]:
    failures = TokenRefresh.objects.filter(
        connection=OuterRef("pk"),
        outcome__in=["transient", "throttled", "postponed", "permanent"],
        started_at__gt=Coalesce(OuterRef("last_refreshed_at"), OuterRef("created_at")),
    ).order_by("-started_at", "-id")
    # A connection whose refresh failed is soon due again, so the index of due connections has it.
    soon = Now() + longest_retry_delay()
    rows = (
        Connection.objects.live()
        .filter(next_refresh_at__lt=soon)
        .annotate(
            outcome=Subquery(failures.values("outcome")[:1]), error=Subquery(failures.values("error")[:1])
        )
        .filter(outcome__isnull=False)
        .order_by()
        .values_list("pk", "label", "team", "outcome", "error")
    )
    return [
        FailingLogin(pk, label, team, Part.REFRESH, find_shared_cause(causes.find_cause_of(outcome)), error)
        for pk, label, team, outcome, error in rows
    ]
