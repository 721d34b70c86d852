"""The overview: problems, worst first, and how syncs and refreshes went."""

import re
from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from accounts.health import check_health
from accounts.models import SyncRun
from amazon_accounts.amazon_ads.errors import ApplicationRefusedError
from amazon_accounts.amazon_ads.models import RateLimit
from amazon_accounts.amazon_ads.pacing.application import record_refusal
from dashboard.overview.problem import Problem
from dashboard.overview.problems import find_problems
from dashboard.overview.standings import Horizon, read_standings
from tests.dashboard.conftest import LogIn, MakeAccount, MakeConnection, squeeze, staff
from tokens.alerts.create import alert_connection_healed, create_alert
from tokens.alerts.delivery import send_due_alerts
from tokens.models import Alert, Heartbeat, TokenRefresh


@pytest.fixture
def client(alice: User, log_in: LogIn) -> Client:
    return log_in(alice)


def problems(user: User) -> list[Problem]:
    return find_problems(user, read_standings(user, Horizon.read()))


def words(user: User) -> list[str]:
    return [problem.word for problem in problems(user)]


@pytest.fixture
def processes(db: None) -> None:
    Heartbeat.objects.create(kind="worker", host="h", pid=1)
    Heartbeat.objects.create(kind="scheduler", host="h", pid=2, leads=True)


def test_without_a_connection_it_leads_to_the_first(client: Client) -> None:
    page = client.get("/").content.decode()
    assert "No connection yet" in page
    assert 'href="/connect/amazon/"' in page


@pytest.mark.usefixtures("processes")
def test_all_is_well(
    client: Client, alice: User, make_connection: MakeConnection, make_account: MakeAccount
) -> None:
    make_account(make_connection(alice), "A", standing="good")
    page = squeeze(client.get("/").content.decode())
    assert "The one account can advertise" in page
    assert "Nothing needs you." in page
    assert "c-health" not in page


def test_problems_are_listed_worst_first(
    alice: User, make_connection: MakeConnection, make_account: MakeAccount
) -> None:
    now = timezone.now()
    make_account(make_connection(alice, "late", last_synced_at=now - timedelta(days=1)), "A")
    make_account(make_connection(alice, "failing", sync_failures=1, sync_error="Amazon answered 503."), "B")
    make_connection(alice, "expired", expires_at=now - timedelta(minutes=1))
    make_account(make_connection(alice, "broken", state="reauthorization_required"), "C")
    fine = make_connection(alice, "fine")
    make_account(fine, "D", status="suspended", standing="suspended")
    make_account(fine, "E", standing="at_risk")
    make_account(fine, "F", status="pending", standing="set_up")
    make_account(fine, "G", status="pending")
    make_account(fine, "H", status="inactive", inactive_reason="registration_failed")
    make_account(fine, "I", standing="unknown")
    assert words(alice) == [
        "Suspended",
        "Reconnect",
        "Token expired",
        "Sync failed",
        "At risk",
        "Set-up missing",
        "Pending",
        "Registration failed",
        "Late",
        "Not known",
    ]


def health_of(page: str) -> tuple[str, str]:
    """Return the colour of the health card, and its word, which stands beside a shape."""
    found = re.search(
        r'class="c-card c-health ([\w-]+)".*?<svg class="c-shape.*?</svg>(\w+)', page, re.DOTALL
    )
    assert found
    return found[1], found[2]


def test_it_shows_the_same_health_as_the_api_in_color_shape_and_words(
    client: Client, alice: User, make_connection: MakeConnection
) -> None:
    make_connection(alice, sync_failures=1)
    record_refusal(
        settings.AMAZON_CLIENT_ID,
        settings.AMAZON_CLIENT_SECRET,
        ApplicationRefusedError("no", code="invalid_client"),
    )
    page = client.get("/").content.decode()
    told = check_health(alice)
    assert told["state"] == "error"
    assert len(told["reasons"]) == 4
    for reason in told["reasons"]:
        assert f"<li>{reason['text']}</li>" in page
    assert health_of(page) == ("c-bad", "Error")


@pytest.mark.usefixtures("processes")
def test_less_than_an_error_is_degraded(client: Client, alice: User, make_connection: MakeConnection) -> None:
    make_connection(alice, sync_failures=1)
    assert health_of(client.get("/").content.decode()) == ("c-attention", "Degraded")


def test_each_problem_links_to_its_remedy(
    client: Client, alice: User, make_connection: MakeConnection, make_account: MakeAccount
) -> None:
    broken = make_connection(alice, "broken", state="reauthorization_required")
    make_account(broken, "A")
    failing = make_connection(alice, "failing", sync_failures=1, sync_error="Amazon answered 503.")
    for name in "BC":
        make_account(failing, name)
    page = client.get("/").content.decode()
    assert "1 account is not updated" in page
    assert "Failed syncs of 2 accounts: failing" in page
    assert "Amazon answered 503." in page


@pytest.mark.parametrize("page", ["overview", "account"])
def test_a_broken_login_is_reconnected_with_one_press(
    alice: User,
    log_in: LogIn,
    make_connection: MakeConnection,
    make_account: MakeAccount,
    page: str,
) -> None:
    account = make_account(make_connection(alice, "broken", state="reauthorization_required"))
    address = "/" if page == "overview" else f"/accounts/{account.pk}/"
    text = " ".join(log_in(alice).get(address).content.decode().split())
    form = text.partition("Amazon refuses")[2].partition("</form>")[0]
    assert '<form method="post" action="/connect/amazon/">' in form
    assert f'name="connection" value="{account.connection_id}"' in form
    assert "csrfmiddlewaretoken" in form
    assert "<button" in form
    assert "/connect/amazon/?connection=" not in text
    viewer = staff("vera", "Viewer")
    seen = make_account(make_connection(viewer, "broken", state="reauthorization_required"))
    address = "/" if page == "overview" else f"/accounts/{seen.pk}/"
    assert "/connect/amazon/" not in log_in(viewer).get(address).content.decode()


def test_many_broken_connections_are_named_up_to_five(alice: User, make_connection: MakeConnection) -> None:
    for number in range(8):
        make_connection(alice, str(number), state="reauthorization_required")
    found = problems(alice)
    assert len(found) == 6
    assert found[-1].name == "3 more connections"


def test_people_see_only_their_own_problems(
    alice: User, bob: User, administrator: User, make_connection: MakeConnection
) -> None:
    make_connection(bob, state="reauthorization_required")
    assert words(alice) == []
    assert words(administrator) == ["Reconnect"]


@pytest.mark.django_db(transaction=True)
def test_alerts_that_could_not_be_sent_need_a_person(
    client: Client, alice: User, bob: User, administrator: User, make_connection: MakeConnection
) -> None:
    create_alert(Alert.Kind.APPLICATION_REFUSED, "a", "Our own application was refused.")
    alert_connection_healed(make_connection(alice))
    assert words(alice) == words(administrator) == []
    send_due_alerts()
    assert words(alice) == words(administrator) == ["Alerts not sent"]
    assert words(bob) == []
    page = client.get("/").content.decode()
    assert "1 alert could not be sent" in page
    assert "Nobody who may see it has an e-mail address" in page
    assert "Give a staff user an e-mail address and check EMAIL_URL, or set ALERT_URLS." in page
    link = "/admin/tokens/alert/?sent_at__isnull=True"
    assert f'href="{link}"' in page
    assert client.get(link).status_code == 200
    Alert.objects.update(sent_at=timezone.now(), next_try_at=None, error="")
    assert words(alice) == words(administrator) == []


@pytest.mark.parametrize("period", ["24h", "30d", "odd"])
def test_it_shows_what_happened_as_a_chart_and_as_a_table(
    client: Client, alice: User, make_connection: MakeConnection, period: str
) -> None:
    connection = make_connection(alice)
    now = timezone.now()
    for outcome in ("succeeded", "succeeded", "transient", "permanent"):
        TokenRefresh.objects.create(
            connection=connection,
            grant_version=1,
            trigger="scheduled",
            started_at=now,
            finished_at=now,
            outcome=outcome,
        )
    SyncRun.objects.create(
        connection=connection,
        trigger="scheduled",
        state="succeeded",
        created_at=now,
        started_at=now,
        finished_at=now,
    )
    page = client.get(f"/?period={period}").content.decode()
    assert "4 in all, 1 tried again, 1 failed" in page
    assert "All 1 went well." in page
    assert page.count("c-fill-bad") == 1
    assert "Show as table" in page


def test_it_shows_the_pace_of_each_region(
    client: Client, alice: User, make_connection: MakeConnection
) -> None:
    make_connection(alice)
    now = timezone.now()
    common: dict[str, Any] = {"pace": 2, "burst": 10, "slot_at": now, "hour": now}
    RateLimit.objects.create(region="NA", family="accounts", **common)
    RateLimit.objects.create(
        region="FE", family="accounts", circuit_open_until=now + timedelta(minutes=1), **common
    )
    page = client.get("/").content.decode()
    assert "NA · Accounts and profiles" in page
    assert "Flowing" in page
    assert "Held back until" in page


def test_it_costs_at_most_fifteen_queries_and_twelve_while_its_figures_are_kept(
    client: Client,
    alice: User,
    make_connection: MakeConnection,
    make_account: MakeAccount,
    django_assert_max_num_queries: DjangoAssertNumQueries,
) -> None:
    for number in range(8):
        connection = make_connection(alice, str(number), state="reauthorization_required")
        make_account(connection, f"A{number}")
        make_connection(alice, f"late {number}", last_synced_at=timezone.now() - timedelta(days=1))
    make_account(connection, "soon", standing="at_risk", suspension_at=timezone.now() + timedelta(days=3))
    with django_assert_max_num_queries(15):
        client.get("/")
    with django_assert_max_num_queries(12):
        client.get("/")
