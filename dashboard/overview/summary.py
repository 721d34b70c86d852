"""The sentence at the top of the overview, and the four figures below it."""

from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlencode

from django.urls import reverse

from accounts.health import ServiceHealth
from dashboard.lists.account_counts import AtLeast
from dashboard.overview.announced import Announced
from dashboard.overview.standings import AHEAD_DAYS, SOON_DAYS, Standings
from dashboard.status import Tone
from dashboard.templatetags.console import accounts as write_accounts

# A sentence with more facts is not read.
MAX_FACTS = 2


@dataclass(frozen=True, kw_only=True)
class Figure:
    tone: Tone
    title: str
    value: str = ""
    # "9 of 3,650": the part after the value.
    of: str = ""
    moment: datetime | None = None  # instead of the value
    below: str
    # After `below`.
    below_moment: datetime | None = None
    address: str


def write_verdict(summary: ServiceHealth, standings: Standings, *, is_first_sync: bool = False) -> str:
    """Return one sentence with the worst facts, or that all is well."""
    broken, connections = summary["tokens"]["broken"], _count_connections(summary)
    facts = [
        standings.suspended.number and f"{write_accounts(standings.suspended.number)} cannot advertise",
        broken and f"{broken:,} of {connections:,} logins {'is' if broken == 1 else 'are'} refused",
        standings.ahead.number
        and f"{write_accounts(standings.ahead.number)} will be suspended within {AHEAD_DAYS} days",
        standings.undated.number
        and f"{write_accounts(standings.undated.number)} {'has' if standings.undated.number == 1 else 'have'} a payment problem",
        standings.set_up.number and f"{write_accounts(standings.set_up.number)} cannot start yet",
        standings.failed.number and f"{write_accounts(standings.failed.number)} failed to register",
    ]
    told = [fact for fact in facts if fact][:MAX_FACTS]
    if told:
        return ", ".join(told)
    if is_first_sync and not standings.asked_at:
        return "First sync under way"
    if not standings.live:
        return "No account is there yet"
    if standings.is_all_good:
        number = standings.good.number
        return "The one account can advertise" if number == 1 else f"All {number:,} accounts can advertise"
    return "No account is suspended"


def list_figures(
    summary: ServiceHealth, standings: Standings, announced: Announced, not_updated: AtLeast
) -> list[Figure]:
    return [
        _show_advertising(standings),
        _show_soon(standings, announced),
        _show_logins(summary, not_updated),
        _show_oldest_sync(summary),
    ]


def _show_advertising(standings: Standings) -> Figure:
    stopped = standings.suspended
    shown = stopped if stopped.number else standings.good
    below = "Amazon was last asked" if standings.asked_at else "Amazon was not asked in the last day"
    return Figure(
        tone="bad" if stopped.number else "good" if standings.good.number else "off",
        title="Cannot advertise" if stopped.number else "Can advertise",
        value=f"{shown.number:,}",
        of=f"of {standings.live:,}",
        below=below,
        below_moment=standings.asked_at,
        address=shown.address,
    )


def _show_soon(standings: Standings, announced: Announced) -> Figure:
    soon = standings.soon.number
    first = next((day.date for day in announced.days if day.date is not None and day.number), None)
    more = standings.at_risk.number - soon
    parts = [
        f"First on {first:%-d %b}" if first is not None else "",
        f"{more:,}{' more' if soon else ''} at risk" if more else "",
    ]
    return Figure(
        tone="attention" if soon else "good",
        title=f"Stops within {SOON_DAYS} days",
        value=f"{soon:,}",
        below=" · ".join(filter(None, parts)) or "No suspension is announced",
        address=standings.soon.address,
    )


def _count_connections(summary: ServiceHealth) -> int:
    tokens = summary["tokens"]
    return tokens["valid"] + tokens["expiring"] + tokens["expired"] + tokens["broken"]


def _show_logins(summary: ServiceHealth, not_updated: AtLeast) -> Figure:
    tokens, connections = summary["tokens"], _count_connections(summary)
    if broken := tokens["broken"]:
        return Figure(
            tone="bad",
            title="Logins refused",
            value=f"{broken:,}",
            of=f"of {connections:,}",
            below=f"{not_updated} {'is' if not_updated.number == 1 else 'are'} not updated",
            address=f"{reverse('connections')}?state=reauthorization_required",
        )
    expired = tokens["expired"]
    return Figure(
        tone="attention" if expired else "good",
        title="Logins working",
        value=f"{connections - expired:,}",
        of=f"of {connections:,}",
        below=f"{expired:,} without a valid token" if expired else "All have a valid token",
        address=reverse("connections"),
    )


def _show_oldest_sync(summary: ServiceHealth) -> Figure:
    syncs, broken = summary["syncs"], summary["tokens"]["broken"]
    # Not updated for one of these three causes, each login once.
    behind = {"refused": broken, "failing": syncs["failing"], "late": syncs["late"]}
    told = ", ".join(f"{number:,} {word}" for word, number in behind.items() if number)
    # The list of connections, because all accounts of one have the same age.
    waiting = {
        "ordering": "last_synced_at",
        "state": ["active", "reauthorization_required"],
        "paused": "false",
    }
    return Figure(
        tone="bad" if broken or syncs["failing"] else "attention" if syncs["late"] else "good",
        title="Oldest sync",
        value="none yet",
        moment=syncs["oldest_synced_at"],
        below=f"Logins: {told}" if told else "No login is late",
        address=f"{reverse('connections')}?{urlencode(waiting, doseq=True)}",
    )
