"""The first question of the overview: which accounts cannot advertise, which soon not, and why."""

from collections.abc import Callable
from datetime import datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
from django.contrib.auth.models import User
from django.core.cache import caches
from django.http import QueryDict
from django.test import Client
from django.utils import timezone

from accounts.lists.filters import filter_accounts
from accounts.lists.parameters import read_account_query
from accounts.models import Account, Profile, SyncRun
from amazon_accounts.postgresql.clock import database_now
from dashboard.overview.announced import Announced, read_announced
from dashboard.overview.causes import OTHER
from dashboard.overview.consents import read_ending_consents
from dashboard.overview.problem import Problem
from dashboard.overview.problems import TroubledConnections, find_problems
from dashboard.overview.standings import AHEAD_DAYS, Horizon, Standings, read_standings
from tests.dashboard.conftest import LogIn, MakeAccount, MakeConnection, squeeze
from tokens.models import Connection

MakeProfile = Callable[..., Profile]
SUSPENDED = {"name": "PAY_BY_INVOICE_OVERDUE_PAYMENT_CAUSED_SUSPENSION", "impact": "CAMPAIGNS_SUSPENDED"}
OVERDUE = {"name": "PAY_BY_INVOICE_OVERDUE_PAYMENT_PENDING_SUSPENSION"}


def notice(name: str = "", **fields: str | None) -> dict[str, str | None]:
    known = {"severity": "ALERT", "impact": "NO_IMPACT", "title": "", "description": ""}
    return {"name": name, **known, "due_at": None, "suspension_at": None, **fields}


@pytest.fixture
def connection(alice: User, make_connection: MakeConnection) -> Connection:
    return make_connection(alice)


@pytest.fixture
def client(alice: User, log_in: LogIn) -> Client:
    return log_in(alice)


@pytest.fixture
def every_standing(
    connection: Connection, bob: User, make_connection: MakeConnection, make_account: MakeAccount
) -> None:
    """Accounts of every kind, each twice: alice's, and one of bob's."""
    now = database_now()
    failing = make_connection(connection.owner, "failing", sync_failures=2)
    for login in (connection, failing, make_connection(bob)):
        make_account(login, standing="good")
        make_account(login, status="suspended", standing="suspended", suspended_in=["UK"])
        # Amazon's list says it, and no billing does.
        make_account(login, status="suspended", amazon_status="SUSPENDED", standing="unknown")
        for days in (-3, 2, 12, 50):
            make_account(login, standing="at_risk", suspension_at=now + timedelta(days=days))
        make_account(login, standing="at_risk")
        make_account(login, status="pending", standing="at_risk")
        make_account(login, status="pending", standing="set_up")
        make_account(login, status="pending", standing="good")
        for fields in (
            {"status": "pending"},
            {"status": "inactive", "inactive_reason": "registration_failed"},
            {"status": "inactive"},
            {"status": "inactive", "inactive_reason": "disconnected"},
            {"status": "unknown"},
            {},
            {"account_type": "manager", "source": "manager_accounts"},
            {"account_type": "advertiser", "source": "dsp_advertisers"},
        ):
            make_account(login, standing="unknown", **fields)


def standings_of(user: User) -> Standings:
    return read_standings(user, Horizon.read())


def problems(user: User) -> list[Problem]:
    standings = standings_of(user)
    return find_problems(user, standings, read_ending_consents(user), TroubledConnections.find(user))


def announced_for(user: User) -> Announced:
    return read_announced(user, Horizon.read(), read_ending_consents(user))


def count_listed(user: User, address: str) -> int:
    """Return how many accounts the list at this address shows."""
    assert address.startswith("/accounts/?")
    query = read_account_query(QueryDict(urlsplit(address).query)).check()
    return filter_accounts(user, query).count()


@pytest.mark.usefixtures("every_standing")
def test_each_figure_is_the_number_of_accounts_in_its_list(alice: User, administrator: User) -> None:
    for user in (alice, administrator):
        standings = standings_of(user)
        tallies = {name: each for name, each in vars(standings).items() if hasattr(each, "address")}
        assert len(tallies) == 10
        for name, tally in tallies.items():
            expected = count_listed(user, tally.address)
            # Its list has the accounts with a date, too.
            if name == "undated":
                expected = standings.at_risk.number - standings.ahead.number
            assert (name, tally.number) == (name, expected)
            assert tally.number > 0
        live = Account.objects.visible_to(user).exclude(status="inactive").count()
        assert standings.live == live


@pytest.mark.usefixtures("every_standing")
def test_each_number_on_a_button_is_the_number_of_accounts_in_its_list(alice: User) -> None:
    found = [problem for problem in problems(alice) if problem.address.startswith("/accounts/?")]
    numbers = {problem.name: "".join(filter(str.isdigit, problem.action)) for problem in found}
    assert len(list(filter(None, numbers.values()))) == 7
    for problem in found:
        if number := numbers[problem.name]:
            assert (problem.name, int(number)) == (problem.name, count_listed(alice, problem.address))


@pytest.mark.usefixtures("every_standing")
def test_the_page_of_each_list_counts_the_same(client: Client) -> None:
    page = client.get("/")
    for problem in page.context["problems"]:
        number = "".join(filter(str.isdigit, problem.action))
        if number and problem.address.startswith("/accounts/?"):
            listed = client.get(problem.address).context
            assert not listed["state"].errors
            assert (problem.name, listed["count_text"]) == (problem.name, number)
    for figure in page.context["figures"][:2]:
        assert figure.value == client.get(figure.address).context["count_text"]


@pytest.mark.usefixtures("every_standing")
def test_accounts_of_other_people_are_not_counted(alice: User, bob: User, administrator: User) -> None:
    numbers = [standings_of(user).suspended.number for user in (alice, bob, administrator)]
    assert numbers == [4, 2, 6]
    dates = [announced_for(user).number for user in (alice, bob, administrator)]
    assert dates == [6, 3, 9]


def test_without_accounts_nothing_is_said(client: Client, connection: Connection) -> None:
    page = client.get("/").content.decode()
    assert "No account is there yet" in page
    assert "Nothing needs you." in page
    assert "Amazon announces no suspension for the next 30 days." in page
    assert '<svg viewBox="0 0 310 40"' not in page
    assert standings_of(connection.owner).is_all_good is False


def test_that_all_can_advertise_is_said_only_where_amazon_said_it_of_each(
    client: Client, connection: Connection, make_account: MakeAccount
) -> None:
    make_account(connection, standing="good")
    make_account(connection, standing="good")
    make_account(connection, account_type="manager", source="manager_accounts", standing="unknown")
    moment = timezone.now() - timedelta(minutes=7)
    billing = {"source": "billing", "region": "EU", "outcome": "complete", "seen": 2}
    SyncRun.objects.create(
        connection=connection, trigger="scheduled", state="succeeded", created_at=moment,
        started_at=moment, finished_at=moment, sources=[billing],
    )  # fmt: skip
    page = squeeze(client.get("/").content.decode())
    assert "All 2 accounts can advertise" in page
    assert "Amazon was last asked<time" in page
    assert "7 min ago" in page
    caches["process"].clear()
    make_account(connection, standing="unknown")
    page = client.get("/").content.decode()
    assert "can advertise</h2>" not in page
    assert "No account is suspended" in page
    assert "Amazon does not say whether 1 account can advertise" in page


def test_the_first_accounts_are_counted_at_once(
    client: Client, connection: Connection, make_account: MakeAccount
) -> None:
    assert "No account is there yet" in client.get("/").content.decode()
    make_account(connection, standing="good")
    assert "No account is there yet" not in client.get("/").content.decode()


def test_a_run_in_which_billing_answered_nothing_asked_nobody(
    client: Client, connection: Connection, make_account: MakeAccount
) -> None:
    make_account(connection, standing="good")
    now = timezone.now()
    SyncRun.objects.create(
        connection=connection, trigger="scheduled", state="partial", created_at=now, started_at=now,
        finished_at=now, sources=[
            {"source": "billing", "outcome": "failed", "seen": 0},
            {"source": "profiles", "outcome": "complete", "seen": 4},
        ],
    )  # fmt: skip
    assert "Amazon was not asked in the last day" in client.get("/").content.decode()


def test_the_verdict_has_the_two_worst_facts(
    client: Client, alice: User, make_connection: MakeConnection, make_account: MakeAccount
) -> None:
    connection = make_connection(alice)
    make_account(connection, status="suspended", standing="suspended")
    make_account(connection, standing="at_risk")
    make_connection(alice, "broken", state="reauthorization_required")
    page = client.get("/").content.decode()
    assert "1 account cannot advertise, 1 of 2 logins is refused</h2>" in page


def test_each_account_has_one_cause(
    alice: User, connection: Connection, make_account: MakeAccount, make_profile: MakeProfile
) -> None:
    suspended = make_account(connection, status="suspended", standing="suspended")
    for place, country in enumerate(("DE", "UK")):
        make_profile(
            suspended, country, f"1{place}", standing="suspended", billing_status="ACCOUNT_BILLING_ISSUE",
            notices=[notice("CREDIT_CARD_EXPIRED"), notice(**SUSPENDED)],
        )  # fmt: skip
    # The profile that is only at risk does not decide.
    make_profile(suspended, "FR", "13", standing="at_risk", billing_status="STORED_VALUE_BALANCE_TOO_LOW")
    make_account(connection, status="suspended", amazon_status="SUSPENDED", standing="unknown")
    assert standings_of(alice).suspended.consists_of == f"invoice overdue 1 · {OTHER} 1"


@pytest.mark.parametrize(
    ("code", "name", "cause"),
    [
        ("ACCOUNT_BILLING_ISSUE", "", "billing issue"),
        ("INVALID_PAYMENT_REGISTRATION", "", "payment method not valid"),
        ("PAYMENT_METHOD_EXPIRED", "", "payment method expired"),
        ("PAYMENT_METHOD_VERIFICATION_FAILED", "", "payment method not verified"),
        ("RESERVE_ORDER_BALANCE_TOO_LOW", "", "balance too low"),
        ("STORED_VALUE_BALANCE_TOO_LOW", "", "balance too low"),
        ("VALID_BILLING_STATUS", "POLICY_VIOLATIONS", "policy violations"),
        ("PAYMENT_METHOD_EXPIRED", "NEW_NAME", "payment method expired"),
        ("NEW_CODE", "<b>NEW</b>", OTHER),
    ],
)
def test_the_cause_comes_from_the_notice_or_else_from_the_code(
    alice: User,
    connection: Connection,
    make_account: MakeAccount,
    make_profile: MakeProfile,
    code: str,
    name: str,
    cause: str,
) -> None:
    account = make_account(connection, standing="at_risk")
    make_profile(
        account, "DE", "1", standing="at_risk", billing_status=code, notices=[notice(name)] if name else None
    )
    assert standings_of(alice).at_risk.causes == {cause: 1}


def test_what_is_missing_is_counted_by_kind(
    alice: User, connection: Connection, make_account: MakeAccount, make_profile: MakeProfile
) -> None:
    for place, kind in enumerate(("TAX", "TAX", "PAYMENT", "BILLING")):
        account = make_account(connection, status="pending", standing="set_up")
        make_profile(
            account, "DE", str(place), standing="set_up", billing_status=f"PENDING_{kind}_REGISTRATION"
        )
    (problem,) = problems(alice)
    assert problem.word == "Set-up missing"
    assert "Tax registration 2 · billing details 1 · payment method 1." in problem.cause


def test_accounts_that_amazon_does_not_tell_are_a_quiet_line(
    alice: User, connection: Connection, make_account: MakeAccount, make_profile: MakeProfile
) -> None:
    refusals = {str(connection.pk): {"code": "NOT_AUTHORIZED", "at": "2026-11-01T00:00:00Z"}}
    for place in range(2):
        account = make_account(connection, standing="unknown")
        for country in ("DE", "FR"):
            make_profile(account, country, f"{place}{country}", billing_refusals=refusals)
    make_profile(make_account(connection, standing="unknown"), "DE", "4")
    (problem,) = problems(alice)
    assert (problem.tone, problem.word) == ("off", "Not known")
    assert problem.cause == "Not told to the connected logins 2 · not answered yet 1."


def days_from_today(days: float) -> datetime:
    # Noon, so that no test depends on the hour in which it runs.
    return Horizon.read().today + timedelta(days=days, hours=12)


def test_the_days_are_listed_with_their_accounts_countries_and_causes(
    client: Client, connection: Connection, make_account: MakeAccount, make_profile: MakeProfile
) -> None:
    moment = days_from_today(2)
    one = make_account(connection, "Alder", standing="at_risk", suspension_at=moment)
    overdue = notice(**OVERDUE, suspension_at=moment.isoformat())
    for country in ("IE", "UK"):
        make_profile(one, country, country, standing="at_risk", suspension_at=moment, notices=[overdue])
    later = days_from_today(9)
    make_profile(one, "DE", "DE", standing="at_risk", suspension_at=later, notices=[overdue])
    page = squeeze(client.get("/").content.decode())
    assert "1 account will be suspended on " in page
    assert f'href="/accounts/{one.pk}/">Alder</a>' in page
    assert "IE, UK stop · invoice overdue" in page
    assert f'<time datetime="{moment:%Y-%m-%d}">' in page
    assert "in 2 days" in page


def test_the_bars_and_the_list_say_the_same(
    alice: User, connection: Connection, make_account: MakeAccount
) -> None:
    numbers = {0: 1, 1: 4, 7: 2, AHEAD_DAYS: 1, AHEAD_DAYS + 1: 1, 400: 1}
    for distance, number in numbers.items():
        for _ in range(number):
            make_account(connection, standing="at_risk", suspension_at=days_from_today(distance))
    announced = announced_for(alice)
    assert [(day.distance, day.number, day.until) for day in announced.days] == [
        (0, 1, 1),
        (1, 4, 5),
        (7, 2, 7),
        (AHEAD_DAYS, 1, 8),
    ]
    assert [(day.when, len(day.accounts), day.rest) for day in announced.days][:2] == [
        ("today", 1, 0),
        ("tomorrow", 3, 1),
    ]
    for day in announced.days:
        assert count_listed(alice, day.address) == day.until
    assert count_listed(alice, announced.address) == announced.number == 8
    titles = [bar.title for bar in announced.bars]
    assert len(titles) == AHEAD_DAYS + 1
    assert [place for place, title in enumerate(titles) if title] == [0, 1, 7, AHEAD_DAYS]
    assert titles[1].endswith(": 4 accounts")
    heights = [bar.height for bar in announced.bars]
    assert heights[1] == max(heights) > heights[7] > heights[2]
    assert standings_of(alice).later == 2


def test_a_date_that_has_passed_is_told_apart(
    client: Client, alice: User, connection: Connection, make_account: MakeAccount
) -> None:
    for days in (-1, -4):
        make_account(connection, f"Late {days}", standing="at_risk", suspension_at=days_from_today(days))
    (day,) = announced_for(alice).days
    assert (day.date, day.number, len(day.accounts)) == (None, 2, 2)
    assert count_listed(alice, day.address) == 2
    page = squeeze(client.get("/").content.decode())
    assert "2 accounts whose date has passed. Amazon has not said that they are stopped." in page
    assert "Amazon announces no suspension for the next 30 days." in page


def test_many_days_are_folded_and_many_accounts_of_a_day_are_named_in_part(
    client: Client, connection: Connection, make_account: MakeAccount
) -> None:
    for distance in range(1, 10):
        for place in range(5 if distance == 1 else 1):
            make_account(
                connection,
                f"D{distance}.{place}",
                standing="at_risk",
                suspension_at=days_from_today(distance),
            )
    page = squeeze(client.get("/").content.decode())
    assert "<summary>3 more days</summary>" in page
    assert "D1.2</a>" in page
    assert "D1.3" not in page
    assert "2 more. See all 5 until then</a>" in page
    assert "13 accounts will be suspended, the first on " in page


def test_an_account_that_is_stopped_elsewhere_is_listed_with_its_coming_date(
    alice: User, connection: Connection, make_account: MakeAccount
) -> None:
    make_account(
        connection,
        status="suspended",
        standing="suspended",
        suspended_in=["UK"],
        suspension_at=days_from_today(5),
    )
    (day,) = announced_for(alice).days
    assert count_listed(alice, day.address) == 1
    assert standings_of(alice).at_risk.number == 0


@pytest.mark.parametrize("zone", ["Pacific/Auckland", "America/Los_Angeles"])
def test_days_are_days_of_the_persons_zone(
    alice: User, connection: Connection, make_account: MakeAccount, zone: str
) -> None:
    with timezone.override(zone):
        midnight = Horizon.read().start_of(4)
        make_account(connection, "before", standing="at_risk", suspension_at=midnight - timedelta(minutes=1))
        make_account(connection, "after", standing="at_risk", suspension_at=midnight + timedelta(minutes=1))
        announced = announced_for(alice)
        assert [(day.distance, day.accounts[0].name) for day in announced.days] == [
            (3, "before"),
            (4, "after"),
        ]
        assert [count_listed(alice, day.address) for day in announced.days] == [1, 2]


def test_a_day_on_which_the_clocks_change_ends_at_midnight() -> None:
    with timezone.override("Europe/Berlin"):
        today = timezone.make_aware(datetime(2026, 10, 24))  # noqa: DTZ001
        assert f"{Horizon(today).end_of(1):%d %H:%M %Z}" == "26 00:00 CET"


def test_names_that_want_to_break_the_page_are_text(
    client: Client, connection: Connection, make_account: MakeAccount, make_profile: MakeProfile
) -> None:
    account = make_account(
        connection, "<script>alert(1)</script>", standing="at_risk", suspension_at=days_from_today(1)
    )
    make_profile(
        account, "<i>", "1", standing="at_risk", suspension_at=days_from_today(1), billing_status="<u>",
        notices=[notice("<b>", suspension_at="9999-12-31T23:59:59+00:00")],
    )  # fmt: skip
    page = client.get("/").content.decode()
    assert "<script>alert" not in page
    assert "<i> stops" not in page
    assert "&lt;i&gt; stops" in page


def test_every_address_is_understood_by_the_list(
    alice: User, connection: Connection, make_account: MakeAccount
) -> None:
    make_account(connection, standing="at_risk", suspension_at=days_from_today(3))
    addresses = [tally.address for tally in vars(standings_of(alice)).values() if hasattr(tally, "address")]
    for address in [*addresses, announced_for(alice).address]:
        names = parse_qs(urlsplit(address).query)
        assert read_account_query(QueryDict(urlsplit(address).query)).errors == {}
        assert set(names) <= {"status", "standing", "suspension_before", "account_type", "health"}
