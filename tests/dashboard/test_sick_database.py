"""What people and machines are told while the database cannot do its work."""

import json
import time
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from dashboard.monitoring.readiness import DatabaseCheck
from tests.dashboard.conftest import MakeAccount, MakeConnection
from tests.database_outage import DatabaseOutage, wait_for_the_end_of_outages
from tests.half_open_proxy import HalfOpenProxy, through
from tests.processes import eventually
from tests.sick_database import full_disk, read_only

pytestmark = pytest.mark.django_db(transaction=True)

READY = "/readyz"
BATCH = "/api/v1/accounts/batch/"


@pytest.fixture(autouse=True)
def fresh_check(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dashboard.monitoring.readiness.DATABASE", DatabaseCheck())


@pytest.fixture
def browser(alice: User) -> Client:
    client = Client(raise_request_exception=False)
    client.force_login(alice)
    return client


@pytest.fixture
def shop(alice: User, make_connection: MakeConnection, make_account: MakeAccount) -> None:
    make_account(make_connection(alice))


def ready(client: Client) -> tuple[int, Any]:
    response = client.get(READY)
    return response.status_code, response.json().get("detail")


def test_a_full_disk_is_told_though_queries_are_answered(browser: Client, shop: None) -> None:
    with full_disk("accounts_batchoperation"):
        assert ready(browser) == (503, "The database's disk is full.")
        assert browser.get("/accounts/").status_code == 200
        response = order_sync(browser)
        assert response.status_code == 503
        assert response["Retry-After"] == "5"
        assert json.loads(response.content)["detail"].startswith("The database's disk is full.")
    assert ready(browser) == (200, None)
    assert order_sync(browser).status_code == 202


def test_a_disk_that_was_not_full_a_moment_ago_is_told_within_the_interval_of_a_check(
    browser: Client,
) -> None:
    began = time.monotonic()
    assert ready(browser) == (200, None)
    with full_disk("accounts_batchoperation"):
        eventually(lambda: ready(browser) == (503, "The database's disk is full."))
        # A load balancer that asks every ten seconds never hears that all is well.
        assert time.monotonic() - began < 9


def order_sync(browser: Client) -> Any:
    order = json.dumps({"operation": "sync", "filter": {}})
    return browser.post(BATCH, order, content_type="application/json")


def test_a_standby_is_told(browser: Client, shop: None) -> None:
    with read_only():
        assert ready(browser) == (503, "The database is read-only.")
        response = order_sync(browser)
        assert response.status_code == 503
        assert json.loads(response.content)["detail"].startswith("The database is read-only.")
    assert ready(browser) == (200, None)


def test_a_silent_database_is_told_within_two_seconds(
    browser: Client, half_open_proxy: HalfOpenProxy, settings: Any
) -> None:
    settings.DB_SILENCE_SECONDS = 1
    with through(half_open_proxy.port) as wrapper:
        assert ready(browser) == (200, None)
        half_open_proxy.freeze()
        began = time.monotonic()
        assert ready(browser) == (503, "The database does not answer.")
        # Two seconds on a machine that is not busy.
        assert time.monotonic() - began < 4
        assert wrapper.pool
        wrapper.pool.timeout = 0.2
        assert browser.get("/accounts/").status_code == 503
        half_open_proxy.thaw()
    wait_for_the_end_of_outages()
    assert ready(browser) == (200, None)


def test_a_page_says_what_is_wrong_when_not_even_the_session_can_be_read(
    browser: Client, database_outage: DatabaseOutage
) -> None:
    with database_outage:
        response = browser.get("/accounts/")
    assert response.status_code == 503
    assert response["Retry-After"] == "5"
    assert response.content.decode() == "The database does not answer. Try again in a few seconds."
