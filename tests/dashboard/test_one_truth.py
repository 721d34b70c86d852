"""25 of 47 logins are refused: every page, the menu, the API and the metrics say so with the same numbers."""

import re
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from dashboard.monitoring.metrics import export_metrics
from tests.dashboard.conftest import LogIn, MakeAccount, MakeConnection, squeeze
from tokens.models import Connection

LOGINS, REFUSED, ACCOUNTS_EACH = 47, 25, 2


@pytest.fixture
def client(alice: User, log_in: LogIn) -> Client:
    return log_in(alice)


@pytest.fixture
def house(alice: User, make_connection: MakeConnection, make_account: MakeAccount) -> None:
    now = timezone.now()
    for number in range(LOGINS):
        is_refused = number < REFUSED
        connection = make_connection(
            alice,
            f"login {number:02}",
            state="reauthorization_required" if is_refused else "active",
            last_error_at=now - timedelta(hours=5) if is_refused else None,
            sync_failures=2 if is_refused else 0,
            last_synced_at=now - timedelta(hours=5, minutes=18) if is_refused else now,
        )
        for _ in range(ACCOUNTS_EACH):
            make_account(connection, standing="good")
    # Amazon has stopped one account of a refused login, which is worse.
    stopped = Connection.objects.filter(state="reauthorization_required").first()
    assert stopped
    account = stopped.accounts.order_by("pk")[0]
    stopped.accounts.filter(pk=account.pk).update(status="suspended", standing="suspended")


def read_metric(name: str, **labels: str) -> int:
    wanted = ",".join(f'{key}="{value}"' for key, value in labels.items())
    found = re.search(
        rf"^amazon_accounts_{name}{{{wanted}}} ([\d.]+)$", export_metrics().decode(), re.MULTILINE
    )
    assert found
    return int(float(found[1]))


@pytest.mark.usefixtures("house")
def test_refused_logins_have_one_number_everywhere(client: Client) -> None:
    page = client.get("/")
    logins = page.context["figures"][2]
    text = squeeze(page.content.decode())
    assert page.context["verdict"] == "1 account cannot advertise, 25 of 47 logins are refused"
    assert (logins.value, logins.of) == ("25", "of 47")
    assert text.count("Reconnect 25 logins") == 1
    assert client.get(logins.address).context["count_text"] == "25"
    (problem,) = [each for each in page.context["problems"] if each.word == "Login refused"]
    assert client.get(problem.address).context["count_text"] == "25"
    # The menu.
    assert re.search(r"Connections</span>.*?>25<", text)
    health = client.get("/api/v1/accounts/health/").json()
    assert health["tokens"]["broken"] == 25
    answer = client.get("/api/v1/connections/?state=reauthorization_required&page_size=100").json()
    assert len(answer["results"]) == 25
    assert read_metric("connections", state="reauthorization_required") == 25


@pytest.mark.usefixtures("house")
def test_their_accounts_have_one_number_everywhere(client: Client) -> None:
    accounts = REFUSED * ACCOUNTS_EACH
    page = client.get("/")
    assert page.context["figures"][2].below == f"{accounts} accounts are not updated"
    # The suspended account says Suspended.
    listed = client.get("/accounts/?health_reason=login_refused").context["count_text"]
    stopped = client.get("/accounts/?health_reason=suspended").context["count_text"]
    assert (listed, stopped) == (str(accounts - 1), "1")
    api = client.get("/api/v1/accounts/?health_reason=login_refused&page_size=500").json()["results"]
    assert len(api) == accounts - 1
    assert {account["health_reason"] for account in api} == {"login_refused"}
    assert read_metric("account_health_reasons", reason="login_refused") == accounts - 1
    # No failing sync is counted beside: the cause is the login.
    assert client.get("/accounts/?health_reason=sync_failing").context["count_text"] == "0"
    assert client.get("/api/v1/accounts/health/").json()["syncs"]["failing"] == 0


@pytest.mark.usefixtures("house")
def test_the_oldest_sync_is_that_of_the_login_that_waits_longest(client: Client) -> None:
    oldest = Connection.objects.order_by("last_synced_at").values_list("last_synced_at", flat=True)[0]
    assert oldest
    figure = client.get("/").context["figures"][3]
    assert (figure.title, figure.moment, figure.below) == ("Oldest sync", oldest, "Logins: 25 refused")
    first = client.get(figure.address).context["connections"][0][0]
    assert first.last_synced_at == oldest
    told = client.get("/api/v1/accounts/health/").json()["syncs"]["oldest_synced_at"]
    assert told == oldest.isoformat().replace("+00:00", "Z")
    metric = re.search(r"^amazon_accounts_oldest_sync_seconds (.*)$", export_metrics().decode(), re.MULTILINE)
    assert metric
    assert float(metric[1]) == pytest.approx((timezone.now() - oldest).total_seconds(), abs=60)
