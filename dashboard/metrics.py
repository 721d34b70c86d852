"""What Prometheus reads. Every figure comes from the database, so each web process tells the same."""

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta

from django.db.models import Count, Q
from django.utils import timezone
from procrastinate.contrib.django.models import ProcrastinateJob
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from accounts.models import Account, SyncRun
from amazon_accounts.amazon_ads.models import RateLimit
from dashboard.monitoring import checks
from tokens.models import Connection, TokenRefresh

HOUR = timedelta(hours=1)


def exposition() -> bytes:
    registry = CollectorRegistry()
    registry.register(ConsoleCollector())
    return generate_latest(registry)


class ConsoleCollector(Collector):
    def collect(self) -> Iterator[GaugeMetricFamily]:
        now = timezone.now()
        found = checks()
        yield _gauge("ready", "1 when this part is alive", ["part"], (([c.name], c.ok) for c in found))
        if all(check.ok for check in found[:2]):
            yield from self._connections(now)
            yield from self._accounts(now)
            yield from self._queue()
            yield from self._pacing(now)

    def _connections(self, now: datetime) -> Iterator[GaugeMetricFamily]:
        states = Connection.objects.order_by().values_list("state").annotate(Count("pk"))
        yield _gauge("connections", "Connections by state", ["state"], _labelled(states))
        tokens = Connection.objects.live().aggregate(
            valid=Count("pk", filter=Q(expires_at__gt=now)),
            expired=Count("pk", filter=Q(expires_at__lte=now)),
        )
        yield _gauge("live_tokens", "Access tokens of live connections", ["token"], _labelled(tokens.items()))
        refreshes = TokenRefresh.objects.filter(started_at__gte=now - HOUR, outcome__isnull=False)
        outcomes = refreshes.order_by().values_list("outcome").annotate(Count("pk"))
        yield _gauge("token_refreshes_last_hour", "Refreshes by outcome", ["outcome"], _labelled(outcomes))

    def _accounts(self, now: datetime) -> Iterator[GaugeMetricFamily]:
        statuses = Account.objects.order_by().values_list("status").annotate(Count("pk"))
        yield _gauge("accounts", "Accounts by status", ["status"], _labelled(statuses))
        runs = SyncRun.objects.filter(created_at__gte=now - HOUR)
        states = runs.order_by().values_list("state").annotate(Count("pk"))
        yield _gauge("sync_runs_last_hour", "Syncs by state", ["state"], _labelled(states))

    def _queue(self) -> Iterator[GaugeMetricFamily]:
        jobs = ProcrastinateJob.objects.filter(status__in=["todo", "doing"])
        rows = jobs.order_by().values_list("queue_name", "status").annotate(Count("pk"))
        samples = (([queue, status], number) for queue, status, number in rows)
        yield _gauge("jobs", "Jobs that wait or are at work", ["queue", "status"], samples)

    def _pacing(self, now: datetime) -> Iterator[GaugeMetricFamily]:
        rows = list(RateLimit.objects.order_by("region", "family"))
        figures: dict[str, tuple[str, list[float]]] = {
            "pace": ("Requests a second that are allowed", [row.pace for row in rows]),
            "requests_this_hour": ("Requests of the row's current hour", [row.requests for row in rows]),
            "throttled_this_hour": ("Answers 429 of the row's current hour", [row.throttled for row in rows]),
            "failures_this_hour": ("Failed calls of the row's current hour", [row.failures for row in rows]),
            "waited_seconds_this_hour": (
                "Seconds that calls waited for their slot",
                [row.waited_seconds for row in rows],
            ),
            "blocked": ("1 while Amazon asked to wait", [_is_ahead(row.blocked_until, now) for row in rows]),
            "circuit_open": (
                "1 while nothing is sent",
                [_is_ahead(row.circuit_open_until, now) for row in rows],
            ),
        }
        for name, (text, values) in figures.items():
            samples = (
                ([row.region or "any", row.family], value) for row, value in zip(rows, values, strict=True)
            )
            yield _gauge(f"amazon_{name}", text, ["region", "family"], samples)


def _is_ahead(moment: datetime | None, now: datetime) -> float:
    return float(moment is not None and moment > now)


def _labelled(rows: Iterable[tuple[str, int]]) -> Iterator[tuple[list[str], int]]:
    return (([name], number) for name, number in rows)


def _gauge(
    name: str, text: str, labels: list[str], samples: Iterable[tuple[list[str], float]]
) -> GaugeMetricFamily:
    gauge = GaugeMetricFamily(f"amazon_accounts_{name}", text, labels=labels)
    for values, number in samples:
        gauge.add_metric(values, float(number))
    return gauge
