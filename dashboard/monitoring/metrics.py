"""What Prometheus reads. Every number comes from the database, so each web process reports the same."""

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta

from django.db.models import Count, Q
from procrastinate.contrib.django.models import ProcrastinateJob
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from accounts.health import find_oldest_sync
from accounts.lists.by_connection import count_health_reasons
from accounts.models import Account, Standing, SyncRun
from amazon_accounts.amazon_ads.pacing.report import count_calls, report_pacing
from amazon_accounts.postgresql.clock import approximate_now
from dashboard.monitoring.readiness import is_database_ready, run_checks
from tokens.models import Connection, TokenRefresh
from tokens.permissions import SYSTEM

HOUR = timedelta(hours=1)
# The standings that the index `account_trouble` has.
TROUBLED = [str(standing) for standing in (Standing.SUSPENDED, Standing.AT_RISK, Standing.SET_UP)]

# The labels of what is measured per rate limit.
PLACE = ["region", "family"]

Samples = Iterable[tuple[list[str], float]]


def export_metrics() -> bytes:
    registry = CollectorRegistry()
    registry.register(ConsoleCollector())
    return generate_latest(registry)


class ConsoleCollector(Collector):
    def collect(self) -> Iterator[Metric]:
        now = approximate_now()
        checks = run_checks()
        parts = (([check.name], check.ok) for check in checks)
        yield _gauge("ready", "1 when this part is alive", ["part"], parts)
        if is_database_ready(checks):
            yield from _measure_connections(now)
            yield from _measure_accounts(now)
            yield from _measure_queue()
            yield from _measure_pacing()
            yield from _count_calls()


def _measure_connections(now: datetime) -> Iterator[Metric]:
    states = Connection.objects.order_by().values_list("state").annotate(Count("pk"))
    yield _gauge("connections", "Connections by state", ["state"], _label(states))
    oldest = Connection.objects.aggregate(oldest=find_oldest_sync())["oldest"]
    text = "When the login that waits longest was last synced without failure"
    yield _gauge("oldest_sync_timestamp_seconds", text, [], [([], oldest.timestamp())] if oldest else [])
    tokens = Connection.objects.live().aggregate(
        valid=Count("pk", filter=Q(expires_at__gt=now)),
        expired=Count("pk", filter=Q(expires_at__lte=now)),
    )
    yield _gauge("live_tokens", "Access tokens of live connections", ["token"], _label(tokens.items()))
    refreshes = TokenRefresh.objects.filter(started_at__gte=now - HOUR, outcome__isnull=False)
    outcomes = refreshes.order_by().values_list("outcome").annotate(Count("pk"))
    yield _gauge("token_refreshes_last_hour", "Refreshes by outcome", ["outcome"], _label(outcomes))


def _measure_accounts(now: datetime) -> Iterator[Metric]:
    statuses = dict(Account.objects.order_by().values_list("status").annotate(Count("pk")))
    yield _gauge("accounts", "Accounts by status", ["status"], _label(statuses.items()))
    # The other standings are no trouble, and counting them would take as long as there are accounts.
    troubled = Account.objects.filter(standing__in=TROUBLED).order_by().values_list("standing")
    standings = dict.fromkeys(TROUBLED, 0) | dict(troubled.annotate(Count("pk")))
    text = "Accounts that Amazon has stopped, may stop, or waits for, by standing"
    yield _gauge("account_standings", text, ["standing"], _label(standings.items()))
    reasons = count_health_reasons(SYSTEM, statuses)
    text = "Accounts by the worst that is wrong with them"
    yield _gauge("account_health_reasons", text, ["reason"], _label(reasons.items()))
    runs = SyncRun.objects.filter(created_at__gte=now - HOUR)
    states = runs.order_by().values_list("state").annotate(Count("pk"))
    yield _gauge("sync_runs_last_hour", "Syncs by state", ["state"], _label(states))


def _measure_queue() -> Iterator[Metric]:
    jobs = ProcrastinateJob.objects.filter(status__in=["todo", "doing"])
    rows = jobs.order_by().values_list("queue_name", "status").annotate(Count("pk"))
    samples = (([queue, status], number) for queue, status, number in rows)
    yield _gauge("jobs", "Jobs that wait or run", ["queue", "status"], samples)


def _measure_pacing() -> Iterator[Metric]:
    reports = [(_place(report.region, report.family), report) for report in report_pacing()]
    yield _gauge(
        "amazon_pace",
        "Requests a second that are allowed",
        PLACE,
        ((place, report.requests_per_second) for place, report in reports),
    )
    yield _gauge(
        "amazon_blocked",
        "1 while Amazon has asked us to wait",
        PLACE,
        ((place, report.blocked_until is not None) for place, report in reports),
    )
    yield _gauge(
        "amazon_circuit_open",
        "1 while no call is made because Amazon does not answer",
        PLACE,
        ((place, report.circuit_open_until is not None) for place, report in reports),
    )


def _count_calls() -> Iterator[Metric]:
    totals = [(_place(total.region, total.family), total) for total in count_calls()]
    yield _counter(
        "amazon_requests", "Slots that were given to requests", ((place, t.requests) for place, t in totals)
    )
    yield _counter(
        "amazon_throttled", "Answers 429 from Amazon", ((place, t.throttled) for place, t in totals)
    )
    yield _counter(
        "amazon_failures",
        "Calls that ended without an answer from Amazon",
        ((place, t.failures) for place, t in totals),
    )
    yield _counter(
        "amazon_waited_seconds",
        "Seconds that calls waited for their slots",
        ((place, t.waited_seconds) for place, t in totals),
    )


def _place(region: str, family: str) -> list[str]:
    return [region or "any", family]


def _label(rows: Iterable[tuple[str, int]]) -> Iterator[tuple[list[str], int]]:
    return (([name], number) for name, number in rows)


def _gauge(name: str, text: str, labels: list[str], samples: Samples) -> GaugeMetricFamily:
    gauge = GaugeMetricFamily(f"amazon_accounts_{name}", text, labels=labels)
    for values, number in samples:
        gauge.add_metric(values, float(number))
    return gauge


def _counter(name: str, text: str, samples: Samples) -> CounterMetricFamily:
    # The library appends "_total" to the name.
    counter = CounterMetricFamily(f"amazon_accounts_{name}", text, labels=PLACE)
    for values, number in samples:
        counter.add_metric(values, float(number))
    return counter
