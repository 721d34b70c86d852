"""The watcher looks by itself, and no outage of the database ends it."""

import time
from collections.abc import Iterator
from threading import Thread

import pytest
from django.conf import LazySettings
from django.contrib.auth.models import User
from django.core import mail

from tests.database_outage import DatabaseOutage
from tokens.models import Alert
from tokens.processes.watch.watcher import Watcher

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def watching(transactional_db: None, settings: LazySettings) -> Iterator[None]:
    settings.ALERT_AFTER_SECONDS = 0.3
    User.objects.create_superuser("root", "root@example.test")
    watcher = Watcher()
    thread = Thread(target=watcher.run)
    thread.start()
    yield
    watcher.stop()
    thread.join()


def wait_for_alerts(number: int) -> None:
    deadline = time.monotonic() + 20
    while Alert.objects.count() < number or len(mail.outbox) < 1:
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.usefixtures("watching")
def test_it_tells_by_itself_that_no_worker_and_no_scheduler_live() -> None:
    wait_for_alerts(2)
    assert mail.outbox[0].subject == "A part of the console does not work"


@pytest.mark.usefixtures("watching")
def test_it_goes_on_after_an_outage_of_the_database(database_outage: DatabaseOutage) -> None:
    with database_outage:
        time.sleep(0.3)
    wait_for_alerts(2)
