"""The zone in which people read times: the browser's, UTC until it is known, and always UTC in the API."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from accounts.models import SyncRun
from dashboard.overview.activity import read_activity
from tests.dashboard.conftest import LogIn, MakeConnection
from tokens.models import Connection, TokenRefresh

# In New York, five hours behind, this is the evening before.
NIGHT = datetime(2026, 1, 24, 2, 27, tzinfo=UTC)


@pytest.fixture
def client(alice: User, log_in: LogIn) -> Client:
    client = log_in(alice)
    client.cookies["zone"] = "America/New_York"
    return client


@pytest.fixture
def connection(alice: User, make_connection: MakeConnection) -> Connection:
    connection = make_connection(alice)
    SyncRun.objects.create(connection=connection, trigger="manual", created_at=NIGHT)
    return connection


def days(client: Client, query: str = "") -> list[str]:
    return [f"{day.day:%Y-%m-%d}" for day in client.get(f"/activity/?kind=sync{query}").context["days"]]


def test_the_history_begins_its_days_at_the_readers_midnight(
    client: Client, alice: User, log_in: LogIn, connection: Connection
) -> None:
    assert days(client) == ["2026-01-23"]
    assert days(log_in(alice)) == ["2026-01-24"]
    assert days(client, "&from=2026-01-23&to=2026-01-23") == ["2026-01-23"]
    assert days(client, "&from=2026-01-24") == []


@pytest.mark.parametrize("query", ["from=0001-01-01", "to=9999-12-31"])
@pytest.mark.parametrize("zone", ["Asia/Tokyo", "America/New_York"])
def test_the_first_and_the_last_possible_day_are_accepted(
    client: Client, connection: Connection, query: str, zone: str
) -> None:
    client.cookies["zone"] = zone
    assert client.get(f"/activity/?{query}").status_code == 200


def test_times_without_script_are_in_the_readers_zone(client: Client, connection: Connection) -> None:
    assert 'title="23 Jan 2026, 21:27 EST"' in client.get("/activity/?kind=sync").content.decode()


def test_the_admin_names_the_zone_of_each_time(
    superuser: User, log_in: LogIn, connection: Connection
) -> None:
    client = log_in(superuser)
    run = SyncRun.objects.get()
    assert "2026-01-24 02:27 UTC" in str(run)
    for address in ("/admin/accounts/syncrun/", f"/admin/accounts/syncrun/{run.pk}/change/"):
        client.cookies.pop("zone", None)
        assert "24 Jan 2026, 02:27 UTC" in client.get(address).content.decode()
        client.cookies["zone"] = "America/New_York"
        assert "23 Jan 2026, 21:27 EST" in client.get(address).content.decode()


def test_the_charts_count_the_readers_hours_and_days(alice: User, connection: Connection) -> None:
    moment = timezone.now()
    TokenRefresh.objects.create(
        connection=connection,
        grant_version=1,
        trigger="manual",
        started_at=moment,
        outcome="permanent",
        finished_at=moment,
    )
    for zone in ("UTC", "America/New_York", "Asia/Kolkata"):
        with timezone.override(zone):
            _, hours = read_activity(alice, "24h")
            _, month = read_activity(alice, "30d")
        local = moment.astimezone(ZoneInfo(zone))
        assert hours.sentence.endswith(f"most at {local:%-d %b %H:00}.")
        assert month.rows == [(f"{local:%-d %b}", [0, 0, 1])]


def test_a_page_says_in_which_zone_its_charts_are(client: Client, connection: Connection) -> None:
    TokenRefresh.objects.create(connection=connection, grant_version=1, trigger="manual")
    name = timezone.localtime(timezone=ZoneInfo("America/New_York")).tzname()
    assert f"Times are in {name}" in client.get("/").content.decode()
    assert f"Hours are in {name}" in client.get(f"/connections/{connection.pk}/").content.decode()


@pytest.mark.parametrize("zone", ["", "Nowhere/Nothing", "../../etc/passwd", "America", "<b>", "é"])
def test_an_unknown_zone_means_utc(client: Client, connection: Connection, zone: str) -> None:
    client.cookies["zone"] = zone
    assert days(client) == ["2026-01-24"]


def test_the_api_speaks_utc_to_browsers_too(client: Client, connection: Connection) -> None:
    connection.last_synced_at = NIGHT + timedelta(hours=1)
    connection.save(update_fields=["last_synced_at"])
    answer = client.get(f"/api/v1/connections/{connection.pk}/", headers={"HX-Request": "true"})
    assert answer.json()["last_synced_at"].endswith("Z")


def test_the_zone_does_not_outlive_the_request(client: Client, connection: Connection) -> None:
    client.get("/activity/")
    assert timezone.get_current_timezone_name() == "UTC"
