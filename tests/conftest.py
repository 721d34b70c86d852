"""The database of the tests: the embedded server of this DATA_DIR, or the one that DATABASE_URL names."""

from collections.abc import Iterator

import pytest
from django.conf import settings
from django.db import connection
from pytest_django import DjangoDbBlocker

from amazon_accounts.starter.database import use_local_database

pytest_plugins = ["tests.sandbox_fixtures", "tests.database_outage"]


def pytest_configure() -> None:
    """Start the server, in the first process and in each of xdist's; the last to end stops it."""
    use_local_database()
    # A test's data need not survive a power cut; what the server keeps for others stays durable.
    settings.DATABASES["default"]["OPTIONS"]["options"] = "-c synchronous_commit=off"
    # Pages name their styles and scripts as they lie in the apps: nothing was collected.
    settings.STORAGES["staticfiles"]["BACKEND"] = "django.contrib.staticfiles.storage.StaticFilesStorage"
    settings.WHITENOISE_AUTOREFRESH = True


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what takes longest, so that no process works on alone at the end."""
    items.sort(key=lambda item: item.get_closest_marker("slow") is None)


@pytest.fixture(autouse=True)
def empty_queue(request: pytest.FixtureRequest, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """Leave no job behind.

    After a test with transactions of its own, Django empties the tables of its models; these it does not know.
    """
    yield
    mark = request.node.get_closest_marker("django_db")
    is_transactional = bool(mark and mark.kwargs.get("transaction"))
    if not is_transactional and {"transactional_db", "live_server"}.isdisjoint(request.fixturenames):
        return
    if not str(connection.settings_dict["NAME"]).startswith("test_"):
        return
    with django_db_blocker.unblock(), connection.cursor() as cursor:
        cursor.execute(
            "DELETE FROM procrastinate_events; DELETE FROM procrastinate_jobs;"
            "DELETE FROM accounts_staged_account; DELETE FROM accounts_staged_profile"
        )
    connection.close()
