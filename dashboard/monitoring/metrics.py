"""What Prometheus reads. Every number comes from the database, so each web process reports the same.

States are counted when they are asked for. What happens is counted by the process where it happens, and added up in the
database (amazon_accounts/postgresql/measures.py). So the figures of workers and schedulers are here too.
"""

from bisect import bisect_left
from collections.abc import Iterable, Iterator
from datetime import datetime
from itertools import accumulate
from math import inf

from django.db import connection
from django.db.models import Count, Q
from procrastinate.contrib.django import app
from procrastinate.contrib.django.models import ProcrastinateJob
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from accounts.health import find_oldest_sync
from accounts.lists.by_connection import count_health_reasons
from accounts.models import Account, Standing
from amazon_accounts import __version__
from amazon_accounts.amazon_ads.pacing.report import count_calls, report_pacing
from amazon_accounts.postgresql.clock import approximate_now
from amazon_accounts.postgresql.measures import MEASURES, SUM, TOTAL, read_measures
from amazon_accounts.postgresql.statements import load
from dashboard.monitoring.readiness import is_database_ready, run_checks
from tokens.models import Alert, Connection, WebhookDelivery
from tokens.permissions import SYSTEM
from tokens.processes.heartbeats import count_beats

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
        yield _gauge("build_info", "1; the label is the version", ["version"], [([__version__], 1)])
        checks = run_checks()
        parts = (([check.name], check.ok) for check in checks)
        yield _gauge("ready", "1 when this part is alive", ["part"], parts)
        if is_database_ready(checks):
            yield from _measure_connections(now)
            yield from _measure_accounts()
            yield from _measure_queue()
            yield from _measure_undelivered()
            yield from _export_measures()
            yield from _measure_pacing()
            yield from _count_calls()


def _measure_connections(now: datetime) -> Iterator[Metric]:
    states = Connection.objects.order_by().values_list("state").annotate(Count("pk"))
    yield _gauge("connections", "Connections by state", ["state"], _label(states))
    tokens = Connection.objects.live().aggregate(
        valid=Count("pk", filter=Q(expires_at__gt=now)),
        expired=Count("pk", filter=Q(expires_at__lte=now)),
    )
    yield _gauge("live_tokens", "Access tokens of live connections", ["token"], _label(tokens.items()))
    oldest = Connection.objects.aggregate(at=find_oldest_sync())["at"]
    seconds = 0.0 if oldest is None else max((now - oldest).total_seconds(), 0.0)
    text = "Seconds since the last good sync of the login that waits longest, also of one that Amazon refuses"
    yield _gauge("oldest_sync_seconds", text, [], [([], seconds)])


def _measure_accounts() -> Iterator[Metric]:
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


def _measure_queue() -> Iterator[Metric]:
    jobs = ProcrastinateJob.objects.filter(status__in=["todo", "doing"])
    rows = jobs.order_by().values_list("queue_name", "status").annotate(Count("pk"))
    samples = (([queue, status], number) for queue, status, number in rows)
    yield _gauge("jobs", "Jobs that wait or run", ["queue", "status"], samples)
    with connection.cursor() as cursor:
        cursor.execute(load(__file__, "read_queue_ages"))
        ages = {queue: max(float(seconds or 0), 0.0) for queue, seconds in cursor}
    text = "Seconds since the oldest job that could begin waits; 0 if none does"
    queues = sorted({task.queue for task in app.tasks.values()} | set(ages))
    yield _gauge("queue_age_seconds", text, ["queue"], (([queue], ages.get(queue, 0.0)) for queue in queues))
    alive = count_beats()
    kinds = {"worker": alive.workers, "scheduler": alive.schedulers, "leading scheduler": alive.leaders}
    yield _gauge("processes", "Processes that are alive", ["kind"], _label(kinds.items()))


def _measure_undelivered() -> Iterator[Metric]:
    alerts = Alert.objects.undelivered().count()
    yield _gauge(
        "undelivered_alerts", "Alerts whose last try has failed and that are tried again", [], [([], alerts)]
    )
    waiting = WebhookDelivery.objects.waiting()
    counts = {"new": waiting.filter(tries=0).count(), "failing": waiting.exclude(tries=0).count()}
    text = "Webhook deliveries that wait for their first try or, after a failed one, for the next"
    yield _gauge("undelivered_webhooks", text, ["state"], _label(counts.items()))


def _export_measures() -> Iterator[Metric]:
    totals = read_measures()
    for measure in MEASURES:
        rows = totals.get(measure.name, {})
        name, labels = f"amazon_accounts_{measure.name}", list(measure.labels)
        if not measure.bounds:
            samples = [(list(values), parts.get(TOTAL, 0.0)) for values, parts in rows.items()]
            yield _counter(measure.name, measure.text, samples, labels)
            continue
        family = HistogramMetricFamily(name, measure.text, labels=labels)
        for values, parts in rows.items():
            # An older version may have counted below other bounds: what is between two of ours counts below the upper.
            bounds = [*measure.bounds, inf]
            numbers = dict.fromkeys(bounds, 0.0)
            for part, number in parts.items():
                if part != SUM:
                    numbers[bounds[bisect_left(bounds, float(part))]] += number
            heights = accumulate(numbers.values())
            buckets = [(_name(bound), height) for bound, height in zip(bounds, heights, strict=True)]
            family.add_metric(list(values), buckets=buckets, sum_value=parts.get(SUM, 0.0))
        yield family


def _name(bound: float) -> str:
    return "+Inf" if bound == inf else str(bound)


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


def _counter(name: str, text: str, samples: Samples, labels: list[str] = PLACE) -> CounterMetricFamily:
    # The library appends "_total" to the name.
    counter = CounterMetricFamily(f"amazon_accounts_{name}", text, labels=labels)
    for values, number in samples:
        counter.add_metric(values, float(number))
    return counter
