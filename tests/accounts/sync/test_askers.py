"""Who loses the right between asking and the beginning gets no sync and no refresh."""

import time
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User
from procrastinate import JobContext
from procrastinate.contrib.django import app
from procrastinate.contrib.django.models import ProcrastinateJob
from procrastinate.jobs import Job

from accounts.models import SyncRun
from accounts.sync.askers import LOST_RIGHT
from accounts.sync.requests import queue_sync, request_sync
from accounts.sync.run import sync_connection
from amazon_accounts.amazon_ads.client import AmazonClient
from amazon_accounts.postgresql.threads import in_thread
from tests.accounts.sync.conftest import ConnectionFactory
from tests.accounts.sync.runs import MANUAL
from tests.teams import join
from tokens.models import ApiKey, AuditEntry, Connection, TokenRefresh
from tokens.people.keys import find_api_key, make_team_key
from tokens.people.roles import Role
from tokens.refresh import request_refresh
from tokens.refresh.tasks import refresh_for_person

pytestmark = pytest.mark.django_db(transaction=True)

API = SyncRun.Trigger.API


def take_role(person: User) -> None:
    join(person, "North", Role.VIEWER)


def deactivate(person: User) -> None:
    User.objects.filter(pk=person.pk).update(is_active=False)


def revoke_key(_person: User) -> None:
    ApiKey.objects.all().delete()


def keep_everything(_person: User) -> None:
    pass


def leave_after_making_the_key(person: User) -> None:
    person.memberships.all().delete()


def ask(by_key: bool) -> User:
    """Return who asks: a person, or a key of the team that the person made."""
    carol = User.objects.create_user("carol", is_staff=True)
    team = join(carol, "North", Role.ADMINISTRATOR)
    if not by_key:
        return carol
    found = find_api_key(make_team_key(carol, team, name="Nightly", role="operator")[1], None)
    assert found is not None
    return found[0]


CASES = [
    (False, take_role, False),
    (False, deactivate, False),
    (True, revoke_key, False),
    (True, leave_after_making_the_key, True),
    (False, keep_everything, True),
]
NAMES = ["role", "deactivated", "key", "the maker left", "nothing"]


@pytest.fixture
def connection(connect: ConnectionFactory) -> Connection:
    north = join(User.objects.create_user("dora"), "North", Role.OPERATOR)
    return connect(team=north)


@pytest.mark.parametrize(("by_key", "lose", "is_served"), CASES, ids=NAMES)
async def test_a_sync(
    connection: Connection, amazon: AmazonClient, by_key: bool, lose: Callable[[User], None], is_served: bool
) -> None:
    @in_thread
    def prepare() -> SyncRun:
        asker = ask(by_key)
        run = request_sync(asker, connection, trigger=MANUAL)
        lose(User.objects.get(username="carol"))
        return run

    ended = await sync_connection((await prepare()).pk, amazon)
    assert (ended.state, ended.error) == (("succeeded", "") if is_served else ("failed", LOST_RIGHT))

    @in_thread
    def check() -> None:
        stored = Connection.objects.get(pk=connection.pk)
        # The connection is as well as it was.
        assert (stored.sync_failures, stored.sync_error) == (0, "")
        entries = AuditEntry.objects.filter(action="connection.sync").order_by("pk")
        outcomes = list(entries.values_list("outcome", "actor_kind"))
        kind = "key" if by_key else "person"
        # The test asks with the rights of a key, and without its request.
        assert outcomes == [("done", "person"), *([] if is_served else [("refused", kind)])]

    await check()


@pytest.mark.parametrize(("by_key", "lose", "is_served"), CASES, ids=NAMES)
async def test_a_refresh(
    connection: Connection, amazon: AmazonClient, by_key: bool, lose: Callable[[User], None], is_served: bool
) -> None:
    @in_thread
    def prepare() -> Job:
        assert request_refresh(ask(by_key), connection)
        lose(User.objects.get(username="carol"))
        queued = ProcrastinateJob.objects.get()
        return Job(
            queue=queued.queue_name,
            lock=None,
            queueing_lock=None,
            task_name=queued.task_name,
            task_kwargs=queued.args,
        )

    job = await prepare()
    context = JobContext(
        app=app,
        job=job,
        start_timestamp=time.time(),
        additional_context={"amazon": amazon},
        abort_reason=lambda: None,
    )
    arguments: dict[str, Any] = job.task_kwargs
    await refresh_for_person(context, **arguments)
    assert await TokenRefresh.objects.aexists() is is_served
    refused = AuditEntry.objects.filter(action="connection.refresh", outcome="refused")
    assert await refused.aexists() is not is_served


@pytest.mark.parametrize("joins_as", ["another person", "the schedule", "a batch", "a connection"])
async def test_what_others_wait_for_is_done(
    connection: Connection, amazon: AmazonClient, joins_as: str
) -> None:
    @in_thread
    def prepare() -> SyncRun:
        carol = ask(by_key=False)
        if joins_as == "the schedule":
            queue_sync(connection, trigger=SyncRun.Trigger.SCHEDULED)
        run = request_sync(carol, connection, trigger=MANUAL)
        if joins_as == "another person":
            request_sync(User.objects.get(username="dora"), connection, trigger=API)
        elif joins_as == "a batch":
            queue_sync(connection, trigger=SyncRun.Trigger.BATCH, requested_by=carol)
        elif joins_as == "a connection":
            queue_sync(connection, trigger=SyncRun.Trigger.CONNECT)
        take_role(carol)
        return run

    assert (await sync_connection((await prepare()).pk, amazon)).state == "succeeded"
