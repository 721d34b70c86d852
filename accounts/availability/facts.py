"""Reading what is stored about connections in one month: their periods, refreshes and good syncs."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from django.conf import settings
from django.db import connection as database
from django.db.models import DateTimeField, ExpressionWrapper, F, Q

from accounts.availability.minutes import Facts, Period, Refresh, Span
from accounts.models import Account, SyncRun
from accounts.pruning import RUNS_KEPT
from accounts.sync.listing import Outcome
from amazon_accounts.amazon_ads.lwa import MAX_LIFE_SECONDS
from amazon_accounts.postgresql.statements import load
from tokens.models import Connection, ConnectionPeriod, TokenRefresh, time_until_late
from tokens.processes.pruning import HISTORY

# A margin, because rows may be deleted while they are read.
KEPT: Final = min(HISTORY, RUNS_KEPT) - timedelta(days=1)
# No token lives longer, no refresh takes longer, and no sync waits longer for its turn.
LONGEST: Final = timedelta(seconds=MAX_LIFE_SECONDS)
# How soon the other connections follow the first that gets a token after an outage.
RECOVERY_SECONDS: Final = 60.0


def how_long_a_failure_explains() -> timedelta:
    """Return the time after a failed refresh within which the next check must have come."""
    return timedelta(seconds=settings.TOKEN_REFRESH_CHECK_SECONDS)


def read_facts(connections: Sequence[Connection], whole: Span, now: datetime) -> dict[UUID, Facts]:
    ids = [connection.pk for connection in connections]
    periods = _read_periods(ids, whole)
    refreshes = _read_refreshes(ids, whole)
    syncs = _read_good_syncs(ids, whole)
    return {
        connection.pk: Facts(
            created_at=connection.created_at,
            periods=periods[connection.pk],
            refreshes=refreshes[connection.pk],
            good_syncs=syncs[connection.pk],
            known_since=now - KEPT,
        )
        for connection in connections
    }


def _read_periods(ids: Sequence[UUID], whole: Span) -> dict[UUID, list[Period]]:
    rows = ConnectionPeriod.objects.filter(connection__in=ids, began_at__lt=whole.end)
    found: dict[UUID, list[Period]] = defaultdict(list)
    columns = ("connection", "began_at", "state", "paused", "expires_at")
    for connection_id, *values in rows.order_by("began_at", "id").values_list(*columns):
        found[connection_id].append(Period(*values))
    return found


def _read_refreshes(ids: Sequence[UUID], whole: Span) -> dict[UUID, list[Refresh]]:
    rows = TokenRefresh.objects.filter(
        connection__in=ids,
        started_at__gte=whole.begin - LONGEST,
        started_at__lt=whole.end,
        finished_at__isnull=False,
    )
    found: dict[UUID, list[Refresh]] = defaultdict(list)
    columns = ("connection", "started_at", "finished_at", "outcome", "new_expires_at")
    for connection_id, *values in rows.order_by("started_at", "id").values_list(*columns):
        found[connection_id].append(Refresh(*values))
    return found


def _read_good_syncs(ids: Sequence[UUID], whole: Span) -> dict[UUID, list[datetime]]:
    rows = SyncRun.objects.filter(
        _where_good(),
        connection__in=ids,
        created_at__gte=whole.begin - time_until_late() - LONGEST,
        finished_at__lt=whole.end,
    ).annotate(ended_at=ExpressionWrapper(F("finished_at"), output_field=DateTimeField()))
    found: dict[UUID, list[datetime]] = defaultdict(list)
    for connection_id, ended_at in rows.order_by("ended_at").values_list("connection", "ended_at"):
        found[connection_id].append(ended_at)
    return found


def _where_good() -> Q:
    # As Connection.last_synced_at: a partial sync that has read the list of ads accounts counts.
    condition = Q(state=SyncRun.State.SUCCEEDED)
    for outcome in (Outcome.COMPLETE, Outcome.CUT):
        listed = [{"source": Account.Source.ADS_ACCOUNTS.value, "outcome": outcome.value}]
        condition |= Q(state=SyncRun.State.PARTIAL, sources__contains=listed)
    return condition


def find_failing_times(spans: Sequence[Span]) -> list[Span]:
    """Return when Login with Amazon failed for any connection, between the first and the last of these times."""
    if not spans:
        return []
    explains = how_long_a_failure_explains()
    with database.cursor() as cursor:
        cursor.execute(
            load(__file__, "find_failing_times"),
            {
                "since": min(span.begin for span in spans) - explains - LONGEST,
                "until": max(span.end for span in spans),
                "explains": explains.total_seconds(),
                "recovery": RECOVERY_SECONDS,
            },
        )
        return [Span(*row) for row in cursor.fetchall()]
