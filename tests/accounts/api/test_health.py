"""The health of what a person sees."""

from datetime import timedelta
from typing import Any

import pytest
from django.conf import LazySettings
from django.contrib.auth.models import User
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries
from rest_framework.test import APIClient

from accounts.health import check_health
from amazon_accounts.amazon_ads.models import ApplicationRefusal, RateLimit, RateLimitHour
from amazon_accounts.configuration.single_sign_on import TeamRole
from amazon_accounts.postgresql.clock import database_now
from tests.accounts.conftest import AccountFactory, ConnectionFactory
from tokens.models import Heartbeat, Team, TokenRefresh
from tokens.people.teams import rename_team
from tokens.permissions import SYSTEM


@pytest.fixture(autouse=True)
def alive(db: None) -> None:
    Heartbeat.objects.create(kind="worker", host="here", pid=1)
    Heartbeat.objects.create(kind="scheduler", host="here", pid=2, leads=True)


def texts(user: User) -> list[str]:
    return [reason["text"] for reason in check_health(user)["reasons"]]


def test_all_is_well(
    api: APIClient,
    alice: User,
    new_account: AccountFactory,
    django_assert_max_num_queries: DjangoAssertNumQueries,
) -> None:
    account = new_account(alice)
    new_account(alice, status="pending")
    with django_assert_max_num_queries(10):
        body = api.get("/api/v1/accounts/health/").json()
    assert body["state"] == "healthy"
    assert body["reasons"] == []
    assert body["tokens"] == {
        "valid": 1, "expiring": 0, "expired": 0, "broken": 0, "success_rate_24h": None,
        "next_expiry": str(account.connection.expires_at).replace(" ", "T").replace("+00:00", "Z"),
    }  # fmt: skip
    assert body["accounts"] == {"active": 1, "suspended": 0, "pending": 1, "inactive": 0, "unknown": 0}
    assert body["pacing"] == []


@pytest.mark.parametrize(
    ("fields", "state", "words"),
    [
        ({"state": "reauthorization_required"}, "error", "Amazon refuses 1 login"),
        (
            {"expires_at": timezone.now() - timedelta(seconds=1)},
            "error",
            "1 login has no valid access token at the moment",
        ),
        ({"sync_failures": 2}, "degraded", "last sync of 1 login failed"),
        ({"last_synced_at": timezone.now() - timedelta(days=2)}, "degraded", "1 login is late"),
    ],
)
def test_a_connection_that_is_not_well(
    alice: User, bob: User, new_connection: ConnectionFactory, fields: dict[str, Any], state: str, words: str
) -> None:
    new_connection(alice, **fields)
    assert check_health(alice)["state"] == state
    assert any(words in text for text in texts(alice))
    assert check_health(bob)["state"] == "healthy"


def test_tokens_are_counted(alice: User, new_connection: ConnectionFactory, settings: LazySettings) -> None:
    now = timezone.now()
    for minutes in (50, 5, -5):
        new_connection(alice, expires_at=now + timedelta(minutes=minutes))
    new_connection(alice, client_id="another application")
    tokens = check_health(alice)["tokens"]
    assert [tokens[name] for name in ("valid", "expiring", "expired", "broken")] == [1, 1, 1, 0]


@pytest.mark.usefixtures("wrong_clock")
def test_the_clock_of_the_process_ends_no_token(alice: User, new_connection: ConnectionFactory) -> None:
    now = database_now()
    for minutes in (50, 5, -5):
        new_connection(alice, expires_at=now + timedelta(minutes=minutes), last_synced_at=now)
    tokens = check_health(alice)["tokens"]
    assert [tokens[name] for name in ("valid", "expiring", "expired", "broken")] == [1, 1, 1, 0]


def test_the_success_rate_leaves_out_refused_grants_and_applications(
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
            # The transient failure came while the old token was still valid for long.
            token_valid_after=None
            if outcome in {"superseded", "lost"}
            else outcome in {"succeeded", "transient"},
        )
    assert check_health(alice)["tokens"]["success_rate_24h"] == 0.75
    assert check_health(bob)["tokens"]["success_rate_24h"] is None


def test_processes_that_are_gone(alice: User) -> None:
    Heartbeat.objects.update(beat_at=timezone.now() - timedelta(minutes=5))
    assert check_health(alice)["state"] == "error"
    assert len([text for text in texts(alice) if "is running" in text]) == 2


def test_a_team_of_single_sign_on_that_was_renamed_is_told_to_superusers(
    admin: User, settings: LazySettings
) -> None:
    root = User.objects.create_superuser("root")
    south = Team.objects.create(name="South")
    settings.OIDC_TEAM_ROLES = {"ads-south": TeamRole("South", "viewer")}
    assert texts(root) == []
    rename_team(SYSTEM, south, "Süd")
    assert texts(root) == [
        "OIDC_TEAM_ROLES names teams that do not exist: 'South'. Until it is right, no sign-in takes a membership."
    ]
    assert check_health(root)["state"] == "degraded"
    # They need not know what a team of others was called.
    assert texts(admin) == []


def test_a_refused_application(alice: User, settings: LazySettings) -> None:
    refusal = ApplicationRefusal.objects.create(client_id=settings.AMAZON_CLIENT_ID, secret_digest="x")
    assert "refuses our application" in texts(alice)[0]
    ApplicationRefusal.objects.filter(pk=refusal.pk).update(
        refused_since=timezone.now() - timedelta(days=1), last_refused_at=timezone.now() - timedelta(days=1)
    )
    assert texts(alice) == []


class TestPace:
    @pytest.fixture(autouse=True)
    def limit(self, db: None) -> RateLimit:
        now = timezone.now()
        hour = now.replace(minute=0, second=0, microsecond=0)
        return RateLimit.objects.create(
            region="EU", family="accounts", pace=4.25678, burst=10, slot_at=now, hour=hour, throttled=3
        )

    def test_it_is_listed_with_what_amazon_refused(self, alice: User) -> None:
        assert check_health(alice)["pacing"] == [
            {
                "region": "EU",
                "family": "accounts",
                "requests_per_second": 4.257,
                "throttled_last_hour": 3,
                "blocked_until": None,
                "circuit_open_until": None,
            }
        ]
        assert check_health(alice)["state"] == "healthy"

    def test_login_with_amazon_has_no_region(self, alice: User) -> None:
        RateLimit.objects.update(region="", family="lwa")
        assert check_health(alice)["pacing"][0]["region"] is None

    def test_a_quiet_region_reports_no_refusals_of_another_hour(self, alice: User, limit: RateLimit) -> None:
        RateLimit.objects.update(hour=limit.hour - timedelta(hours=24), throttled=500)
        assert check_health(alice)["pacing"][0]["throttled_last_hour"] == 0

    def test_of_the_hour_before_the_share_within_sixty_minutes_counts(
        self, alice: User, limit: RateLimit
    ) -> None:
        RateLimitHour.objects.create(
            rate_limit=limit, hour=limit.hour - timedelta(hours=1), throttled=60, pace=4
        )
        share = 1 - (timezone.now() - limit.hour) / timedelta(hours=1)
        found = check_health(alice)["pacing"][0]["throttled_last_hour"]
        assert found == pytest.approx(3 + 60 * share, abs=1.1)

    def test_a_pause_is_a_reason(self, alice: User) -> None:
        until = timezone.now() + timedelta(minutes=1)
        RateLimit.objects.update(blocked_until=until)
        assert check_health(alice)["pacing"][0]["blocked_until"] == until
        assert texts(alice) == ["Amazon asked us to wait in Europe. We go on by ourselves."]
        assert check_health(alice)["state"] == "degraded"

    def test_a_pause_of_billing_makes_health_no_worse(self, alice: User) -> None:
        until = timezone.now() + timedelta(minutes=1)
        RateLimit.objects.update(family="billing", blocked_until=until, circuit_open_until=until)
        health = check_health(alice)
        assert (health["state"], health["reasons"]) == ("healthy", [])
        assert health["pacing"][0]["circuit_open_until"] == until

    def test_an_open_circuit_comes_before_a_pause(self, alice: User) -> None:
        until = timezone.now() + timedelta(minutes=1)
        RateLimit.objects.update(blocked_until=until, circuit_open_until=until)
        assert texts(alice) == ["Amazon does not answer in Europe. We try again by ourselves."]

    def test_pauses_that_are_over_are_no_reason(self, alice: User) -> None:
        past = timezone.now() - timedelta(minutes=1)
        RateLimit.objects.update(blocked_until=past, circuit_open_until=past)
        assert texts(alice) == []


def test_errors_come_first(alice: User, new_connection: ConnectionFactory) -> None:
    new_connection(alice, sync_failures=1)
    new_connection(alice, state="reauthorization_required")
    assert [reason["state"] for reason in check_health(alice)["reasons"]] == ["error", "degraded"]


def test_numbers_of_logins_are_in_words(alice: User, new_connection: ConnectionFactory) -> None:
    for _ in range(2):
        new_connection(alice, state="reauthorization_required")
        new_connection(alice, expires_at=timezone.now() - timedelta(seconds=1))
    assert texts(alice) == [
        "Amazon refuses 2 logins. Reconnect them.",
        "2 logins have no valid access token at the moment.",
    ]
