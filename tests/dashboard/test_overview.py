"""The overview: problems, worst first, and how syncs and refreshes went."""

import re
from datetime import date, timedelta
from html import unescape
from typing import Any

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries, Settings

from accounts.health import check_health
from accounts.models import SyncRun
from amazon_accounts.amazon_ads.errors import ApplicationRefusedError
from amazon_accounts.amazon_ads.models import RateLimit
from amazon_accounts.amazon_ads.pacing.application import record_refusal
from dashboard.overview.consents import read_ending_consents
from dashboard.overview.problem import Problem
from dashboard.overview.problems import TroubledConnections, find_problems
from dashboard.overview.standings import Horizon, read_standings
from tests.dashboard.conftest import LogIn, MakeAccount, MakeConnection, squeeze, staff
from tests.teams import team_of
from tokens.alerts.create import alert_connection_healed, create_alert
from tokens.alerts.delivery import send_due_alerts
from tokens.models import Alert, Heartbeat, TokenRefresh


@pytest.fixture
def client(alice: User, log_in: LogIn) -> Client:
    return log_in(alice)


def problems(user: User) -> list[Problem]:
    standings = read_standings(user, Horizon.read())
    return find_problems(user, standings, read_ending_consents(user), TroubledConnections.find(user))


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
    assert "c-note" not in page


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
        "Login refused",
        "Token expired",
        "Sync failing",
        "At risk",
        "Set-up missing",
        "Set-up missing",
        "Registration failed",
        "Late",
        "Not known",
    ]


def test_what_is_wrong_with_no_login_is_told_in_the_words_of_the_api(
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
        # A failing login has a line of its own.
        is_own = "sync" not in reason["text"] or "worker" in reason["text"] or "scheduler" in reason["text"]
        assert (f"<span>{reason['text']}</span>" in page) is is_own


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
    assert "2 accounts are not updated" in page
    assert "Amazon answered 503." in page
    assert 'href="/accounts/?health_reason=sync_failing"' in page


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
    form = text.partition("must be reconnected" if page == "overview" else "Amazon refuses")[2].partition(
        "</form>"
    )[0]
    assert '<form method="post" action="/connect/amazon/">' in form
    assert f'name="connection" value="{account.connection_id}"' in form
    assert "csrfmiddlewaretoken" in form
    assert "<button" in form
    assert "/connect/amazon/?connection=" not in text
    viewer = staff("vera", "Viewer")
    seen = make_account(make_connection(viewer, "broken", state="reauthorization_required"))
    address = "/" if page == "overview" else f"/accounts/{seen.pk}/"
    assert "/connect/amazon/" not in log_in(viewer).get(address).content.decode()


def test_many_refused_logins_are_one_line_with_one_button(
    client: Client, alice: User, make_connection: MakeConnection
) -> None:
    for number in range(8):
        make_connection(alice, str(number), state="reauthorization_required")
    (found,) = problems(alice)
    assert (found.name, found.action) == ("8 logins must be reconnected", "Reconnect 8 logins")
    page = squeeze(client.get("/").content.decode())
    assert page.count("c-button--main") == 1
    assert 'Needs attention <span class="c-count">1</span>'.replace(" <", "<") in page


def test_failing_syncs_are_grouped_by_cause(alice: User, make_connection: MakeConnection) -> None:
    for label, cause in (("a", "no_answer"), ("b", "no_answer"), ("c", "request_refused")):
        connection = make_connection(alice, label, sync_failures=1, sync_error="Technical text.")
        now = timezone.now()
        SyncRun.objects.create(
            connection=connection,
            trigger="scheduled",
            state="failed",
            cause=cause,
            started_at=now,
            finished_at=now + timedelta(seconds=1),
        )
    assert [(each.word, each.name) for each in problems(alice)] == [
        ("Sync failing", "No answer: a, b"),
        ("Sync failing", "Request refused: c"),
    ]


def test_a_first_sync_under_way_is_no_alarm(
    client: Client, alice: User, make_connection: MakeConnection, make_account: MakeAccount
) -> None:
    connection = make_connection(alice, last_synced_at=None)
    for name in "AB":
        make_account(connection, name, standing="unknown")
    page = squeeze(client.get("/").content.decode())
    assert '<h2 id="verdict">First sync under way</h2>' in page
    assert "First sync under way. 2 accounts found so far. You can leave this page." in page


def test_consents_that_end_are_told_with_their_day(
    client: Client, alice: User, make_connection: MakeConnection, settings: Settings
) -> None:
    settings.CONSENT_EFFECTIVE_DATE = date(2020, 1, 1)
    ends = timezone.now() + timedelta(days=9)
    make_connection(alice, "ana", consented_at=ends - timedelta(days=settings.CONSENT_DAYS))
    (problem,) = problems(alice)
    assert (problem.word, problem.name) == ("Consent ends", "1 login ends within 30 days")
    assert problem.cause == f"On {ends:%-d %b}. 1 has no contact to send a link to."
    page = squeeze(client.get("/").content.decode())
    assert "Consent ends</span>" in page
    assert f'<time datetime="{ends:%Y-%m-%d}">' in page


class TestRenewalLinks:
    """The button of a cause that takes a consent of many."""

    def ask(self, client: Client) -> list[str]:
        """Press the buttons; return what each dialog asks."""
        page = client.get("/").content.decode()
        queries = [unescape(text) for text in re.findall(r'name="query" value="([^"]*)"', page)]
        form = {"on": "connections", "operation": "send_renewal_links", "all": "1"}
        answers = [client.post("/operations/", {**form, "query": query}) for query in queries]
        return [
            found[1]
            for answer in answers
            if (found := re.search(r"Send renewal links for ([\d,]+ \w+)", answer.content.decode()))
        ]

    @pytest.fixture(autouse=True)
    def rules(self, settings: Settings) -> None:
        settings.CONSENT_EFFECTIVE_DATE = date(2020, 1, 1)
        settings.EMAIL_IS_SET_UP = True

    def test_it_asks_for_exactly_the_logins_of_the_cause(
        self, client: Client, alice: User, make_connection: MakeConnection
    ) -> None:
        soon = timezone.now() - timedelta(days=355)
        for n in range(3):
            make_connection(alice, f"refused {n}", state="reauthorization_required", consented_at=soon)
        for n in range(2):
            make_connection(alice, f"ends {n}", consented_at=soon, contact_email="c@garden.example")
        make_connection(alice, "good")
        assert self.ask(client) == ["3 connections", "2 connections"]

    def test_one_refused_login_is_reconnected_and_logins_without_contact_get_no_links(
        self, client: Client, alice: User, make_connection: MakeConnection
    ) -> None:
        make_connection(alice, "refused", state="reauthorization_required")
        make_connection(alice, "ends", consented_at=timezone.now() - timedelta(days=355))
        assert self.ask(client) == []

    def test_it_stays_in_the_team_that_is_looked_at(
        self, alice: User, bob: User, administrator: User, log_in: LogIn, make_connection: MakeConnection
    ) -> None:
        for owner in (alice, alice, bob, bob, bob):
            make_connection(owner, "refused", state="reauthorization_required")
        client = log_in(administrator)
        assert self.ask(client) == ["5 connections"]
        client.get(f"/?team={team_of(bob).pk}")
        assert self.ask(client) == ["3 connections"]

    def test_a_viewer_is_offered_none(self, log_in: LogIn, make_connection: MakeConnection) -> None:
        vera = staff("vera", "Viewer")
        for n in range(2):
            make_connection(vera, f"refused {n}", state="reauthorization_required")
        client = log_in(vera)
        assert "2 logins must be reconnected" in client.get("/").content.decode()
        assert self.ask(client) == []


def test_people_see_only_their_own_problems(
    alice: User, bob: User, administrator: User, make_connection: MakeConnection
) -> None:
    make_connection(bob, state="reauthorization_required")
    assert words(alice) == []
    assert words(administrator) == ["Login refused"]


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
    assert "1 alert could not be delivered" in page
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
    assert "1 of 4 failed, most at" in page
    assert "1 was tried again." in page
    assert "None of 1 failed." in page
    assert page.count("c-fill-bad") == 1


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
    assert "North America · Accounts and profiles" in page
    assert "No answer, paused until" in page
    assert "Far East: calls wait for Amazon. We go on by ourselves." in page


def test_it_costs_at_most_sixteen_queries_and_twelve_while_its_figures_are_kept(
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
    with django_assert_max_num_queries(16):
        client.get("/")
    with django_assert_max_num_queries(12):
        client.get("/")
