"""The health of what somebody sees."""

from datetime import timedelta
from typing import Any

import pytest
from django.conf import LazySettings
from django.contrib.auth.models import User
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries
from rest_framework.test import APIClient

from accounts.health import health
from amazon_accounts.amazon_ads.models import ApplicationRefusal, RateLimit, RateLimitHour
from tests.accounts.conftest import AccountFactory, ConnectionFactory
from tokens.models import Connection, Heartbeat, TokenRefresh


@pytest.fixture(autouse=True)
def alive(db: None) -> None:
    Heartbeat.objects.create(kind="worker", host="here", pid=1)
    Heartbeat.objects.create(kind="scheduler", host="here", pid=2, leads=True)


def texts(user: User) -> list[str]:
    return [reason["text"] for reason in health(user)["reasons"]]


def test_all_is_well(
    api: APIClient,
    alice: User,
    new_account: AccountFactory,
    django_assert_max_num_queries: DjangoAssertNumQueries,
) -> None:
    account = new_account(alice)
    new_account(alice, status="pending")
    with django_assert_max_num_queries(6):
        body = api.get("/api/v1/accounts/health/").json()
    assert body["state"] == "healthy"
    assert body["reasons"] == []
    assert body["tokens"] == {
        "valid": 1, "expiring": 0, "expired": 0, "broken": 0, "success_rate_24h": None,
        "next_expiry": str(account.connection.expires_at).replace(" ", "T").replace("+00:00", "Z"),
    }  # fmt: skip
    assert body["accounts"] == {"active": 1, "suspended": 0, "pending": 1, "inactive": 0}
    assert body["pacing"] == []


@pytest.mark.parametrize(
    ("fields", "state", "words"),
    [
        ({"state": "reauthorization_required"}, "error", "no longer accepts 1 login"),
        (
            {"expires_at": timezone.now() - timedelta(seconds=1)},
            "error",
            "No valid access token at the moment: 1 login",
        ),
        ({"sync_failures": 2}, "degraded", "last sync of 1 login failed"),
        ({"last_synced_at": timezone.now() - timedelta(days=2)}, "degraded", "1 login is late"),
    ],
)
def test_a_connection_that_is_not_well(
    alice: User, bob: User, new_connection: ConnectionFactory, fields: dict[str, Any], state: str, words: str
) -> None:
    new_connection(alice, **fields)
    assert health(alice)["state"] == state
    assert any(words in text for text in texts(alice))
    assert health(bob)["state"] == "healthy"


def test_tokens_are_counted(alice: User, new_connection: ConnectionFactory, settings: LazySettings) -> None:
    now = timezone.now()
    for minutes in (50, 5, -5):
        new_connection(alice, expires_at=now + timedelta(minutes=minutes))
    new_connection(alice, client_id="another application")
    tokens = health(alice)["tokens"]
    assert [tokens[name] for name in ("valid", "expiring", "expired", "broken")] == [1, 1, 1, 0]


def test_the_success_rate_leaves_out_what_is_not_ours(
    alice: User, bob: User, new_connection: ConnectionFactory
) -> None:
    hers, his, now = new_connection(alice), new_connection(bob), timezone.now()
    outcomes = ["succeeded"] * 2 + ["transient", "permanent", "reauthorise", "config", "superseded"]
    for connection, outcome in [*((hers, outcome) for outcome in outcomes), (his, "lost")]:
        TokenRefresh.objects.create(
            connection=connection,
            grant_version=1,
            trigger="scheduled",
            outcome=outcome,
            started_at=now,
            finished_at=now,
            # One that failed in passing while the token had long to live.
            left_fresh=None if outcome in {"superseded", "lost"} else outcome in {"succeeded", "transient"},
        )
    assert health(alice)["tokens"]["success_rate_24h"] == 0.75
    assert health(bob)["tokens"]["success_rate_24h"] is None


def test_processes_that_are_gone(alice: User) -> None:
    Heartbeat.objects.update(beat_at=timezone.now() - timedelta(minutes=5))
    assert health(alice)["state"] == "error"
    assert len([text for text in texts(alice) if "is running" in text]) == 2


def test_a_refused_application(alice: User, settings: LazySettings) -> None:
    refusal = ApplicationRefusal.objects.create(client_id=settings.AMAZON_CLIENT_ID, secret_digest="x")
    assert "refuses our application" in texts(alice)[0]
    ApplicationRefusal.objects.filter(pk=refusal.pk).update(
        refused_since=timezone.now() - timedelta(days=1), last_refused_at=timezone.now() - timedelta(days=1)
    )
    assert texts(alice) == []


def test_the_pace_of_each_row(alice: User) -> None:
    now = timezone.now()
    hour = now.replace(minute=0, second=0, microsecond=0)
    row = RateLimit.objects.create(
        region="EU", family="accounts", pace=4.25, burst=10, slot_at=now, hour=hour, throttled=3,
        blocked_until=now + timedelta(minutes=1), circuit_open_until=now - timedelta(minutes=1),
    )  # fmt: skip
    RateLimitHour.objects.create(rate_limit=row, hour=hour - timedelta(hours=1), throttled=60, pace=4)
    [pace] = health(alice)["pacing"]
    share = 1 - (now - hour) / timedelta(hours=1)
    assert 3 + round(60 * share) - 1 <= pace.pop("throttled_last_hour") <= 3 + round(60 * share)
    assert pace == {
        "region": "EU", "family": "accounts", "requests_per_second": 4.25, "blocked_until": row.blocked_until,
        "circuit_open_until": None,
    }  # fmt: skip
    assert texts(alice) == ["Amazon asked us to wait (accounts EU)."]
    assert health(alice)["state"] == "degraded"
    assert not Connection.objects.exists()
