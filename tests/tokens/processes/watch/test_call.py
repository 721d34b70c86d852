"""HEARTBEAT_URL is called each minute while all is well."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.conf import LazySettings
from django.db.models.functions import Now

from tests.tokens.webhooks.receiver import Receiver, run_receiver
from tests.watching import let_processes_live
from tokens.models import Failure, Heartbeat, Watch
from tokens.processes.watch.call import call_while_all_is_well
from tokens.processes.watch.looking import take_look

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def outside(settings: LazySettings, transactional_db: None) -> Iterator[Receiver]:
    let_processes_live()
    take_look(0)
    with run_receiver() as receiver:
        receiver.page = b"OK"
        settings.HEARTBEAT_URL = receiver.url
        yield receiver


def let_a_minute_pass() -> None:
    Watch.objects.update(called_at=Now() - timedelta(minutes=1))


def test_it_is_called_once_a_minute(outside: Receiver) -> None:
    assert call_while_all_is_well()
    assert not call_while_all_is_well()
    let_a_minute_pass()
    assert call_while_all_is_well()
    assert outside.pages == 2


@pytest.mark.parametrize("kind", ["worker", "scheduler"])
def test_it_is_not_called_without_a_worker_or_scheduler(outside: Receiver, kind: str) -> None:
    Heartbeat.objects.filter(kind=kind).delete()
    assert not call_while_all_is_well()
    assert outside.pages == 0


def test_it_is_not_called_while_a_part_of_the_console_fails(outside: Receiver) -> None:
    Failure.objects.create(kind="service", subject="queue")
    assert not call_while_all_is_well()
    Failure.objects.update(ended_at=Now())
    assert call_while_all_is_well()


def test_it_is_not_called_in_an_outage_that_was_told(outside: Receiver) -> None:
    Failure.objects.create(kind="many_logins", subject="away")
    assert call_while_all_is_well()
    let_a_minute_pass()
    Failure.objects.update(told_at=Now())
    assert not call_while_all_is_well()


def test_nothing_is_called_without_an_address(outside: Receiver, settings: LazySettings) -> None:
    settings.HEARTBEAT_URL = ""
    assert not call_while_all_is_well()
    assert outside.pages == 0


def test_an_address_that_fails_is_logged_without_the_address(
    outside: Receiver, settings: LazySettings, caplog: pytest.LogCaptureFixture
) -> None:
    settings.HEARTBEAT_URL = "http://127.0.0.1:1/secret-key"
    assert not call_while_all_is_well()
    assert "HEARTBEAT_URL could not be called: ConnectionError" in caplog.text
    assert "secret-key" not in caplog.text
