"""The database of all tests: the embedded server under DATA_DIR, or the server that DATABASE_URL names."""

import os
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest
from asgiref.sync import SyncToAsync
from django.conf import settings
from django.core.servers.basehttp import WSGIRequestHandler
from django.db import connection, connections
from pytest_django import DjangoDbBlocker

from amazon_accounts.starter.database import use_local_database

pytest_plugins = [
    "tests.clocks",
    "tests.sandbox_fixtures",
    "tests.database_outage",
    "tests.half_open_proxy",
    "tests.pgbouncer",
    "tests.quick_database",
    "tests.quick_flush",
]

# Coverage is measured while these tests run, because measuring slows a test down. The other tests start whole programs,
# drive a browser, or test code outside of accounts and tokens.
MEASURED_TESTS = [Path(__file__).parent / name for name in ("accounts", "tokens", "dashboard/sign_in")]
# Other tests run the lines that these run, but for 1.2 % of accounts and 0.2 % of tokens (30 November 2026). Measuring
# these too takes some minutes.
UNMEASURED_TESTS = {
    Path(__file__).parent / name
    for name in (
        "accounts/access/test_operations.py",
        "accounts/access/test_visibility.py",
        "accounts/api/test_bodies.py",
        "accounts/api/test_export.py",
        "accounts/api/test_generated_client.py",
        "accounts/api/test_lists.py",
        "accounts/api/test_refusals.py",
        "accounts/api/test_schema.py",
        "accounts/api/test_tutorial.py",
        "accounts/batch/test_order.py",
        "accounts/lists/test_account_json.py",
        "accounts/lists/test_filters.py",
        "accounts/lists/test_pages.py",
        "accounts/sync/test_billing.py",
        "accounts/sync/test_command.py",
        "accounts/sync/test_merge.py",
        "accounts/sync/test_random_moves.py",
        "accounts/sync/test_shifting_lists.py",
        "accounts/sync/test_sources.py",
        "accounts/sync/test_sync.py",
        "accounts/test_update.py",
        "dashboard/sign_in/oidc/test_sign_on.py",
        "dashboard/sign_in/oidc/test_slow_provider.py",
        "dashboard/sign_in/test_invitation.py",
        "tokens/alerts/test_alerts.py",
        "tokens/alerts/test_delivery.py",
        "tokens/connect/links/test_leaks.py",
        "tokens/test_secrets.py",
    )
}
# With this variable, coverage measures the processes that a test starts.
MEASURED_PROCESSES = "COVERAGE_PROCESS_CONFIG"


def pytest_configure() -> None:
    # Each process of pytest-xdist does this too. The server stops when the last process ends.
    use_local_database()
    # The data of tests need not survive a power cut. Other databases of the server stay durable.
    settings.DATABASES["default"]["OPTIONS"]["options"] = "-c synchronous_commit=off"
    # The real hasher takes half a second for each person.
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    # The live server writes head and body apart, and the body would wait 40 ms for the client's acknowledgement.
    WSGIRequestHandler.disable_nagle_algorithm = True
    # Styles and scripts are served from the apps, because no static files were collected.
    settings.STORAGES["staticfiles"]["BACKEND"] = "django.contrib.staticfiles.storage.StaticFilesStorage"
    settings.WHITENOISE_AUTOREFRESH = True


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    # The slow tests run first, so that no process is left alone with one at the end.
    items.sort(key=lambda item: item.get_closest_marker("slow") is None)
    for item in items:
        is_measured = any(folder in item.path.parents for folder in MEASURED_TESTS)
        if not is_measured or item.path in UNMEASURED_TESTS:
            item.add_marker("no_cover")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    # Programs that a test starts are measured only if the test is measured.
    measured = os.environ.pop(MEASURED_PROCESSES, None) if item.get_closest_marker("no_cover") else None
    try:
        return (yield)
    finally:
        if measured is not None:
            os.environ[MEASURED_PROCESSES] = measured


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup() -> None:
    # A test that failed in the middle of a transaction leaves it behind.
    if _is_lost():
        connection.in_atomic_block = False
        connection.close()


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_teardown() -> None:
    # Emptying the tables after the test needs a connection.
    if _is_lost() and not connection.in_atomic_block:
        connection.close()


def _is_lost() -> bool:
    # A test or a busy machine can end the connection. Nothing else opens it again, and all later tests would fail.
    return connection.connection is not None and bool(connection.connection.closed)


@pytest.fixture(autouse=True)
def empty_queue(request: pytest.FixtureRequest, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    # After a test that commits, Django empties the tables of its models, but not these tables.
    yield
    # Asynchronous code uses the database in a thread that all tests share. A test that ends the sessions of the database
    # would leave a dead connection there.
    SyncToAsync.single_thread_executor.submit(connections.close_all).result()
    mark = request.node.get_closest_marker("django_db")
    is_transactional = bool(mark and mark.kwargs.get("transaction"))
    if not is_transactional and {"transactional_db", "live_server"}.isdisjoint(request.fixturenames):
        return
    if not str(connection.settings_dict["NAME"]).startswith("test_"):
        return
    with django_db_blocker.unblock(), connection.cursor() as cursor:
        cursor.execute(
            "DELETE FROM procrastinate_events; DELETE FROM procrastinate_jobs; DELETE FROM procrastinate_workers;"
            "DELETE FROM accounts_staged_account; DELETE FROM accounts_staged_profile"
        )
    connection.close()
