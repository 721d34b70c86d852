"""The watcher tells once that logins fail, and once that they work again."""

from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
from django.conf import LazySettings
from django.contrib.auth.models import User
from django.core import mail
from django.db.models.functions import Now
from django.utils import timezone

from accounts.models import SyncRun
from accounts.sync.claims import MAX_POSTPONEMENTS
from accounts.sync.requests import request_sync
from accounts.sync.run import sync_connection
from amazon_accounts.amazon_ads.causes import Cause
from amazon_accounts.amazon_ads.client import AmazonClient
from amazon_accounts.amazon_ads.models import RateLimit
from amazon_accounts.configuration.outgoing import DirectHost
from amazon_accounts.postgresql.threads import in_thread
from amazon_accounts.sandbox.state import Sandbox
from tests.accounts.sync.conftest import ConnectionFactory, Sync
from tests.tokens.webhooks.receiver import Receiver, run_receiver
from tests.watching import let_processes_live, look_again, read_mail
from tokens.connect.disconnect import disconnect_connection
from tokens.models import Alert, Connection, Failure
from tokens.permissions import SYSTEM
from tokens.refresh.due import refresh_due

pytestmark = pytest.mark.django_db(transaction=True)

FAILING, WORKING = Alert.Kind.CONNECTION_FAILING, Alert.Kind.CONNECTION_WORKING
MANY_FAILING, MANY_WORKING = Alert.Kind.MANY_FAILING, Alert.Kind.MANY_WORKING


@pytest.fixture(autouse=True)
def alive(db: None) -> None:
    let_processes_live()


def close_circuits() -> None:
    RateLimit.objects.update(
        circuit_open_until=None, failures_in_a_row=0, circuit_seconds=0, probe_until=None
    )


async def fail_to_sync(connection: Connection, amazon: AmazonClient) -> None:
    """Sync at the last try: a run that Amazon does not answer is put back for some minutes first."""
    run = await in_thread(request_sync)(SYSTEM, connection, trigger=SyncRun.Trigger.MANUAL)
    await in_thread(SyncRun.objects.filter(pk=run.pk).update)(postponed=MAX_POSTPONEMENTS)
    await sync_connection(run.pk, amazon, max_wait=0.1)


async def test_an_outage_of_all_of_amazon_is_one_alert_and_its_end_another(
    connect: ConnectionFactory, amazon: AmazonClient, sandbox: Sandbox, sync: Sync, settings: LazySettings
) -> None:
    settings.AMAZON_MAX_ATTEMPTS = 1
    now = timezone.now()

    def make() -> list[Connection]:
        return [connect("bob", label=f"Shop {number}", next_refresh_at=now) for number in range(40)]

    connections = await in_thread(make)()
    await refresh_due(amazon)
    await sync(connections[0])
    await in_thread(Connection.objects.exclude(pk__in=[each.pk for each in connections[:6]]).update)(
        next_refresh_at=timezone.now()
    )
    sandbox.faults.add("error_503")
    # A check ends early when Amazon does not answer. The next one begins with the connections that it left.
    for _ in range(2):
        await in_thread(close_circuits)()
        await refresh_due(amazon, max_wait=0.1)
    for connection in connections[:6]:
        await fail_to_sync(connection, amazon)
    assert await in_thread(look_again)() == []
    failing = await in_thread(Failure.objects.lasting().filter(kind="login").count)()
    assert failing == 40
    assert await in_thread(look_again)(29) == []
    assert await in_thread(look_again)(2) == [MANY_FAILING]
    assert await in_thread(look_again)(600) == [MANY_FAILING]

    sandbox.faults.clear()
    await in_thread(close_circuits)()
    await in_thread(Connection.objects.update)(next_refresh_at=timezone.now())
    await refresh_due(amazon)
    for connection in connections[:6]:
        await sync(connection)
    assert await in_thread(look_again)() == [MANY_FAILING, MANY_WORKING]
    assert await in_thread(look_again)(600) == [MANY_FAILING, MANY_WORKING]
    assert await in_thread(read_mail)() == ["Many logins fail at once", "Many logins work again"]
    assert "40 of 40 logins have failed since" in mail.outbox[0].body
    assert "The refresh of 34 and the sync of 6 failed last." in mail.outbox[0].body
    assert "All of up to 40 logins work." in mail.outbox[1].body


async def test_a_login_that_fails_alone_is_told_once_and_again_when_it_works(
    connect: ConnectionFactory, amazon: AmazonClient, sandbox: Sandbox, sync: Sync
) -> None:
    connection, other = (
        await in_thread(lambda: connect(label="Garden shop"))(),
        await in_thread(connect)("bob"),
    )
    fault = sandbox.faults.add("forbidden", path="/adsAccounts/list")
    await fail_to_sync(connection, amazon)
    sandbox.faults.remove(fault.name)
    await sync(other)
    assert await in_thread(look_again)(29) == []
    assert await in_thread(look_again)(31) == [FAILING]
    assert await in_thread(look_again)(31) == [FAILING]
    await sync(connection)
    assert await in_thread(look_again)() == [FAILING, WORKING]
    assert await in_thread(look_again)(31) == [FAILING, WORKING]
    assert await in_thread(read_mail)() == ["A login has failed for a while", "A login works again"]
    assert "“Garden shop” has failed since" in mail.outbox[0].body
    assert "Its accounts cannot be read: ads accounts: " in mail.outbox[0].body
    assert "“Garden shop” works again." in mail.outbox[1].body


async def test_a_failure_that_ends_in_time_is_not_told(
    connect: ConnectionFactory, amazon: AmazonClient, sandbox: Sandbox
) -> None:
    await in_thread(connect)("bob", next_refresh_at=timezone.now())
    fault = sandbox.faults.add("error_503", path="/auth/o2/token")
    await refresh_due(amazon, max_wait=0.1)
    assert await in_thread(look_again)() == []
    sandbox.faults.remove(fault.name)
    await in_thread(close_circuits)()
    await in_thread(Connection.objects.update)(next_refresh_at=timezone.now())
    await refresh_due(amazon)
    assert await in_thread(look_again)(31) == []
    assert not await in_thread(Failure.objects.lasting().exists)()


def fail(connection: Connection, error: str = "Amazon could not answer just now.") -> None:
    Connection.objects.filter(pk=connection.pk).update(sync_failures=1, sync_error=error)
    SyncRun.objects.create(
        connection=connection,
        trigger="scheduled",
        state="failed",
        started_at=Now(),
        finished_at=Now(),
        cause=Cause.NO_ANSWER,
    )


def mend(*connections: Connection) -> None:
    Connection.objects.filter(pk__in=[each.pk for each in connections]).update(sync_failures=0, sync_error="")


def pause(connection: Connection) -> None:
    Connection.objects.filter(pk=connection.pk).update(paused=True)


def disconnect(connection: Connection) -> None:
    disconnect_connection(SYSTEM, connection)


@pytest.mark.parametrize("end", [disconnect, pause])
def test_a_login_that_is_disconnected_or_paused_does_not_work_again(
    connect: ConnectionFactory, end: Callable[[Connection], None]
) -> None:
    connection = connect()
    fail(connection)
    look_again()
    assert look_again(31) == [FAILING]
    end(connection)
    assert look_again() == [FAILING]
    assert not Failure.objects.lasting().exists()


def test_those_who_still_fail_after_an_outage_have_their_time_anew(connect: ConnectionFactory) -> None:
    connections = [connect("bob") for _ in range(9)]
    for connection in connections:
        fail(connection)
    look_again()
    assert look_again(31) == [MANY_FAILING]
    mend(*connections[:7])
    assert look_again() == [MANY_FAILING, MANY_WORKING]
    assert look_again(29) == [MANY_FAILING, MANY_WORKING]
    assert look_again(2) == [MANY_FAILING, MANY_WORKING, FAILING, FAILING]


def test_those_who_fail_for_long_are_told_although_others_come_and_go(connect: ConnectionFactory) -> None:
    *lasting, one, other = (connect("bob") for _ in range(6))
    for connection in (*lasting, one):
        fail(connection)
    look_again()
    for minutes in (20, 20, 15):
        # There are five at each look, but never the same five for half an hour.
        assert look_again(minutes) == []
        mend(one)
        one, other = other, one
        fail(one)
    assert look_again(5) == [FAILING] * 4


def test_those_who_fail_keep_their_time_when_many_failed_too_shortly_to_be_told(
    connect: ConnectionFactory,
) -> None:
    *lasting, one = (connect("bob") for _ in range(5))
    for connection in lasting:
        fail(connection)
    look_again()
    fail(one)
    assert look_again(20) == []
    mend(one)
    assert look_again(5) == []
    assert look_again(5) == [FAILING] * 4


def test_others_try_again_at_once_when_a_login_of_an_outage_works(connect: ConnectionFactory) -> None:
    tomorrow = timezone.now() + timedelta(days=1)
    connections = [connect("bob", next_sync_at=tomorrow) for _ in range(20)]
    for connection in connections:
        fail(connection)
    look_again()
    later = Connection.objects.filter(next_sync_at=tomorrow)
    look_again(31)
    assert later.count() == 20
    mend(connections[0])
    look_again()
    assert later.count() == 10


def test_an_outage_is_told_to_the_teams_whose_logins_fail(connect: ConnectionFactory, owner: User) -> None:
    other = User.objects.create_user("other", "other@example.test", is_staff=True)
    root = User.objects.create_superuser("root", "root@example.test")
    fail(connect("alice", owner=other))
    connect("bob", owner=other)
    stranger = User.objects.create_user("stranger", "stranger@example.test", is_staff=True)
    connect("bob", owner=stranger)
    for _ in range(4):
        fail(connect("bob"))
    look_again()
    assert look_again(31) == [MANY_FAILING]
    read_mail()
    told = {message.to[0] for message in mail.outbox}
    assert told == {owner.email, other.email, root.email}
    assert set(Alert.objects.visible_to(other)) == set(Alert.objects.all())
    assert not Alert.objects.visible_to(stranger).exists()
    assert "5 of 7 logins" in mail.outbox[0].body


@pytest.fixture
def status_page(settings: LazySettings) -> Iterator[Receiver]:
    with run_receiver() as page:
        settings.AMAZON_STATUS_URL = page.url
        settings.WEBHOOK_ALLOWED_HOSTS = (DirectHost.parse("127.0.0.1"),)
        yield page


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        (b'{"status": []}', "Amazon's status page names no incident."),
        (
            b'{"status": [{"region": "NA", "category": "Reports", "text": "<b>Delayed</b>\\u0007 to day", "id": 7}]}',
            "Amazon's status page says: \u201cNA, Reports, Delayed to day\u201d.",
        ),
        (b"<html>", "Amazon's status page could not be understood."),
        (b"[" * 100_000, "Amazon's status page could not be understood."),
    ],
)
def test_the_status_page_is_quoted(
    connect: ConnectionFactory, status_page: Receiver, body: bytes, sentence: str
) -> None:
    status_page.page = body
    for _ in range(5):
        fail(connect("bob"))
    look_again()
    look_again(31)
    assert sentence in Alert.objects.get().text


def test_a_status_page_that_does_not_answer_holds_nothing_up(
    connect: ConnectionFactory, settings: LazySettings
) -> None:
    settings.AMAZON_STATUS_URL = "https://127.0.0.1:1/status.json"
    for _ in range(5):
        fail(connect("bob"))
    look_again()
    assert look_again(31) == [MANY_FAILING]
    assert "Amazon's status page could not be read: " in Alert.objects.get().text
