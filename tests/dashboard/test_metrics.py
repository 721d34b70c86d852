"""What Prometheus reads at /metrics."""

from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.db import ProgrammingError, connection, transaction
from django.test import Client
from django.utils import timezone
from prometheus_client.parser import text_string_to_metric_families

from accounts.batch.tasks import settle_batches
from accounts.lists.by_connection import NO_REASON
from accounts.models import HealthReason
from amazon_accounts import __version__
from amazon_accounts.amazon_ads.models import Family, RateLimit, RateLimitHour
from amazon_accounts.amazon_ads.pacing.reservation import RateLimitKey, reserve
from amazon_accounts.postgresql.measures import SYNCED, SYNCS, write_measures
from dashboard.monitoring.readiness import run_checks
from tests.dashboard.conftest import MakeAccount, MakeConnection
from tests.teams import team_of
from tokens.models import Alert, Event, Heartbeat, Webhook, WebhookDelivery
from tokens.queues import defer_once
from tokens.refresh.tasks import refresh_due_tokens

pytestmark = pytest.mark.django_db

Labels = frozenset[tuple[str, str]]

NA = frozenset({("region", "NA"), ("family", "accounts")})


def read_metrics(client: Client) -> dict[str, dict[Labels, float]]:
    text = client.get("/metrics").content.decode()
    values: dict[str, dict[Labels, float]] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            name = sample.name.removeprefix("amazon_accounts_")
            values.setdefault(name, {})[frozenset(sample.labels.items())] = sample.value
    return values


def read_types(client: Client) -> dict[str, str]:
    text = client.get("/metrics").content.decode()
    lines = (line.split() for line in text.splitlines() if line.startswith("# TYPE"))
    return {name.removeprefix("amazon_accounts_"): kind for _, _, name, kind in lines}


def label(**labels: str) -> Labels:
    return frozenset(labels.items())


def make_limit(**values: object) -> RateLimit:
    now = timezone.now()
    hour = now.replace(minute=0, second=0, microsecond=0)
    place = {"region": "NA", "family": "accounts"}
    return RateLimit.objects.create(
        **{**place, "pace": 4.5, "burst": 5, "slot_at": now, "hour": hour, **values}
    )


def test_accounts_by_standing_and_by_what_is_wrong_with_them(
    client: Client, alice: User, make_connection: MakeConnection, make_account: MakeAccount
) -> None:
    well, refused = make_connection(alice), make_connection(alice, "R", state="reauthorization_required")
    for login in (well, refused):
        make_account(login)
        make_account(login, status="suspended", standing="suspended")
        make_account(login, standing="at_risk")
        make_account(login, status="inactive")
        make_account(login, status="inactive", inactive_reason="registration_failed")
    make_account(well, standing="unknown")
    make_account(well, sync_enabled=False)
    found = read_metrics(client)
    assert found["account_standings"] == {
        label(standing="suspended"): 2,
        label(standing="at_risk"): 2,
        label(standing="set_up"): 0,
    }
    some = {
        "suspended": 2, "login_refused": 3, "at_risk": 1, "registration_failed": 1, "unknown": 1, "paused": 1,
        "inactive": 2, "none": 1,
    }  # fmt: skip
    assert found["account_health_reasons"] == {
        label(reason=reason): some.get(reason, 0) for reason in [*HealthReason.values, NO_REASON]
    }


def test_parts_that_are_alive(client: Client) -> None:
    Heartbeat.objects.create(kind=Heartbeat.Kind.WORKER, host="h", pid=1)
    assert read_metrics(client)["ready"] == {
        label(part="database"): 1,
        label(part="migrations"): 1,
        label(part="worker"): 1,
        label(part="scheduler"): 0,
    }
    assert [check.ok for check in run_checks()] == [True, True, True, False]


def test_connections_and_their_tokens(client: Client, alice: User, make_connection: MakeConnection) -> None:
    make_connection(alice, "valid")
    make_connection(alice, "expired", expires_at=timezone.now() - timedelta(minutes=1))
    make_connection(alice, "broken", state="reauthorization_required")
    metrics = read_metrics(client)
    assert metrics["connections"] == {label(state="active"): 2, label(state="reauthorization_required"): 1}
    assert metrics["live_tokens"] == {label(token="valid"): 1, label(token="expired"): 1}


def test_the_version_is_a_label(client: Client) -> None:
    assert read_metrics(client)["build_info"] == {label(version=__version__): 1}


def test_the_oldest_sync_is_that_of_the_login_that_waits_longest(
    client: Client, alice: User, make_connection: MakeConnection
) -> None:
    now = timezone.now()
    make_connection(alice, "one", last_synced_at=now - timedelta(hours=2))
    make_connection(alice, "paused", last_synced_at=now - timedelta(hours=9), paused=True)
    make_connection(
        alice, "broken", last_synced_at=now - timedelta(hours=5), state="reauthorization_required"
    )
    (seconds,) = read_metrics(client)["oldest_sync_seconds"].values()
    assert seconds == pytest.approx(5 * 3600, abs=60)


def test_a_queue_is_as_old_as_its_oldest_job_that_could_begin(client: Client) -> None:
    now = timezone.now()
    defer_once(settle_batches, "now")
    defer_once(refresh_due_tokens, "due", at=now - timedelta(minutes=2))
    defer_once(refresh_due_tokens, "later", at=now + timedelta(minutes=2))
    with connection.cursor() as cursor:
        cursor.execute("UPDATE procrastinate_events SET at = at - interval '1 minute'")
    ages = read_metrics(client)["queue_age_seconds"]
    assert ages[label(queue="people")] == pytest.approx(60, abs=5)
    assert ages[label(queue="tokens")] == pytest.approx(120, abs=5)
    assert ages[label(queue="webhooks")] == 0


def test_alerts_and_deliveries_that_nobody_got(client: Client, alice: User) -> None:
    team = team_of(alice)
    for key, error in (("new", ""), ("failing", "No answer.")):
        Alert.objects.create(
            kind="connection_broken", key=key, text=key, error=error, next_try_at=timezone.now()
        )
    webhook = Webhook.objects.create(team=team, url="https://example.com/", events=["*"])
    event = Event.objects.create(team=team, type="sync.ended", object_id=webhook.pk, data={})
    for tries in (0, 3, 4):
        WebhookDelivery.objects.create(
            webhook=webhook, event=event, object_id=webhook.pk, place=tries, tries=tries
        )
    found = read_metrics(client)
    assert found["undelivered_alerts"] == {label(): 1}
    assert found["undelivered_webhooks"] == {label(state="new"): 1, label(state="failing"): 2}


class TestMeasures:
    def test_requests_are_counted_by_the_pattern_of_their_address(self, client: Client) -> None:
        write_measures()
        before = read_metrics(client)["http_request_seconds_count"]
        for address in ("/healthz", "/healthz", "/no/such/page"):
            client.get(address)
        client.generic("BREW", "/healthz")
        write_measures()
        after = read_metrics(client)["http_request_seconds_count"]
        new = {place: after[place] - before.get(place, 0) for place in after}
        assert new[label(method="GET", route="healthz", status="200")] == 2
        assert new[label(method="GET", route="none", status="404")] == 1
        assert new[label(method="other", route="healthz", status="405")] == 1

    def test_a_histogram_counts_what_is_shorter_than_each_bound(self, client: Client) -> None:
        for seconds in (0.1, 0.3, 4000):
            SYNCS.time(seconds, "of a test")
        write_measures()
        found = read_metrics(client)
        heights = {
            dict(place)["le"]: height
            for place, height in found["sync_seconds_bucket"].items()
            if ("state", "of a test") in place
        }
        assert (heights["0.1"], heights["0.5"], heights["900.0"], heights["+Inf"]) == (1, 2, 2, 3)
        assert found["sync_seconds_sum"][label(state="of a test")] == pytest.approx(4000.4)

    def test_processes_add_up(self, client: Client) -> None:
        for _ in range(2):
            SYNCED.count("of a test", number=3)
            write_measures()
        assert read_metrics(client)["synced_accounts_total"][label(result="of a test")] == 6

    def test_what_could_not_be_written_is_written_later(self, client: Client) -> None:
        SYNCED.count("of a late test", number=3)
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("ALTER TABLE measures RENAME TO gone")
        with pytest.raises(ProgrammingError), transaction.atomic():
            write_measures()
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE gone RENAME TO measures")
        write_measures()
        assert read_metrics(client)["synced_accounts_total"][label(result="of a late test")] == 3


def test_accounts_by_status(
    client: Client, alice: User, make_connection: MakeConnection, make_account: MakeAccount
) -> None:
    connection = make_connection(alice)
    make_account(connection, "A")
    make_account(connection, "B")
    make_account(connection, "C", status="pending")
    assert read_metrics(client)["accounts"] == {label(status="active"): 2, label(status="pending"): 1}


class TestPace:
    def test_each_rate_limit_has_its_pace(self, client: Client) -> None:
        make_limit()
        make_limit(region="", family="lwa", pace=20.0)
        assert read_metrics(client)["amazon_pace"] == {NA: 4.5, label(region="any", family="lwa"): 20}

    @pytest.mark.parametrize(
        ("field", "metric"),
        [("blocked_until", "amazon_blocked"), ("circuit_open_until", "amazon_circuit_open")],
    )
    @pytest.mark.parametrize(("seconds", "value"), [(60, 1), (-1, 0), (None, 0)])
    def test_a_pause_is_reported_while_it_lasts(
        self, client: Client, field: str, metric: str, seconds: int | None, value: int
    ) -> None:
        until = None if seconds is None else timezone.now() + timedelta(seconds=seconds)
        make_limit(**{field: until})
        assert read_metrics(client)[metric] == {NA: value}


class TestCalls:
    COUNTERS = ("requests", "throttled", "failures", "waited_seconds")

    def test_they_are_counters(self, client: Client) -> None:
        types = read_types(client)
        assert {types[f"amazon_{name}_total"] for name in self.COUNTERS} == {"counter"}
        assert not [name for name in types if name.endswith("_this_hour")]

    @pytest.mark.parametrize("name", COUNTERS)
    def test_they_count_this_hour_and_all_hours_before(self, client: Client, name: str) -> None:
        limit = make_limit(**{name: 3})
        for hours in (1, 500):
            RateLimitHour.objects.create(
                rate_limit=limit, hour=limit.hour - timedelta(hours=hours), pace=1, **{name: 10}
            )
        assert read_metrics(client)[f"amazon_{name}_total"] == {NA: 23}

    @pytest.mark.parametrize("name", COUNTERS)
    def test_they_do_not_fall_when_the_hour_changes(self, client: Client, name: str) -> None:
        make_limit(**{name: 3, "hour": timezone.now() - timedelta(hours=30)})
        before = read_metrics(client)[f"amazon_{name}_total"][NA]
        reserve(RateLimitKey("NA", Family.ACCOUNTS), "alice", max_wait=1)
        after = read_metrics(client)[f"amazon_{name}_total"][NA]
        assert after >= before == 3
        assert RateLimit.objects.get().requests == 1

    def test_a_region_without_calls_keeps_its_totals(self, client: Client) -> None:
        make_limit(throttled=7, hour=timezone.now() - timedelta(days=1))
        assert read_metrics(client)["amazon_throttled_total"] == {NA: 7}
