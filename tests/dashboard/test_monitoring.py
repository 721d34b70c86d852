"""Who may ask /healthz, /readyz and /metrics, and what they answer."""

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from amazon_accounts import __version__
from dashboard.monitoring.readiness import Check, MigrationCheck, is_database_ready
from tests.dashboard.conftest import LogIn
from tests.database_outage import DatabaseOutage
from tokens.models import Heartbeat


@pytest.fixture
def all_alive(db: None) -> None:
    Heartbeat.objects.create(kind=Heartbeat.Kind.WORKER, host="h", pid=1)
    Heartbeat.objects.create(kind=Heartbeat.Kind.SCHEDULER, host="h", pid=2, leads=True)


def test_healthz_does_not_ask_the_database(
    client: Client, db: None, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    with django_assert_num_queries(0):
        assert client.get("/healthz").content == b"ok\n"


def test_the_foot_of_a_page_has_the_version(log_in: LogIn, alice: User) -> None:
    assert f"Amazon Accounts {__version__}" in log_in(alice).get("/").content.decode()


def test_ready_when_all_is_alive(client: Client, all_alive: None) -> None:
    response = client.get("/readyz")
    assert (response.status_code, response.json()) == (200, {"status": "ready"})


def test_web_is_ready_though_other_processes_are_dead(client: Client, all_alive: None) -> None:
    Heartbeat.objects.update(beat_at=timezone.now() - timedelta(minutes=5))
    response = client.get("/readyz")
    assert (response.status_code, response.json()) == (200, {"status": "ready"})


def test_only_staff_see_what_is_missing(log_in: LogIn, alice: User, db: None) -> None:
    checks = {check["name"]: check for check in log_in(alice).get("/readyz").json()["checks"]}
    assert checks["database"]["ok"]
    assert checks["migrations"]["ok"]
    assert "runworker" in checks["worker"]["detail"]
    assert "runscheduler" in checks["scheduler"]["detail"]


def test_a_missing_migration_is_counted(db: None) -> None:
    assert MigrationCheck().run().ok
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM django_migrations WHERE app = 'tokens'")
    check = MigrationCheck().run()
    assert not check.ok
    assert "run manage.py migrate" in check.detail


def test_without_migrations_the_tables_are_not_read() -> None:
    database = Check("database", ok=True, detail="")
    assert is_database_ready([database, Check("migrations", ok=True, detail="")])
    assert not is_database_ready([database, Check("migrations", ok=False, detail="")])
    assert not is_database_ready([Check("database", ok=False, detail="")])


def test_a_database_that_is_away_is_a_503(client: Client, database_outage: DatabaseOutage) -> None:
    with database_outage:
        response = client.get("/readyz")
        assert (response.status_code, response.json()) == (
            503,
            {"status": "not ready", "detail": "The database does not answer."},
        )
        assert client.get("/healthz").status_code == 200
        assert 'amazon_accounts_ready{part="database"} 0.0' in client.get("/metrics").content.decode()


@pytest.mark.parametrize(
    "sender",
    [
        {"REMOTE_ADDR": "192.0.2.7"},
        {"HTTP_X_FORWARDED_FOR": "192.0.2.7"},
        {"HTTP_FORWARDED": "for=192.0.2.7"},
        {"REMOTE_ADDR": ""},
    ],
)
def test_metrics_are_for_this_machine_only(client: Client, db: None, sender: dict[str, str]) -> None:
    assert client.get("/metrics", **sender).status_code == 403  # type: ignore[arg-type]


def test_in_production_metrics_are_closed_without_a_token(client: Client, db: None, settings: Any) -> None:
    settings.LOCAL_MODE = False
    response = client.get("/metrics")
    assert (response.status_code, response.content) == (403, b"Set METRICS_TOKEN to read metrics.\n")


@pytest.mark.parametrize("probe", ["/healthz", "/readyz", "/metrics"])
@pytest.mark.parametrize("host", ["10.1.2.3:8000", "evil.example", "", "not a host"])
def test_the_probes_answer_whatever_the_host_is(client: Client, db: None, probe: str, host: str) -> None:
    assert client.get(probe, HTTP_HOST=host).status_code == 200
    assert client.get("/admin/login/", HTTP_HOST=host).status_code == 400


def test_with_a_token_metrics_are_for_those_who_have_it(client: Client, db: None, settings: Any) -> None:
    settings.METRICS_TOKEN = "open-sesame"
    assert client.get("/metrics").status_code == 401
    assert client.get("/metrics", headers={"Authorization": "Bearer wrong"}).status_code == 401
    assert client.get("/metrics", headers={"Authorization": "Bearer open-sesame"}).status_code == 200
