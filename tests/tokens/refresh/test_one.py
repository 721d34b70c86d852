"""The refresh of a connection that somebody asks for."""

import asyncio
from datetime import timedelta

import pytest
from django.conf import LazySettings
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.utils import timezone
from procrastinate.contrib.django.models import ProcrastinateJob

from amazon_accounts.amazon_ads.client import AmazonClient
from amazon_accounts.amazon_ads.errors import (
    AmazonError,
    ApplicationRefusedError,
    GrantRevokedError,
    PermanentError,
    ThrottledError,
    TransientError,
)
from amazon_accounts.postgresql.threads import in_thread
from amazon_accounts.sandbox.state import Sandbox
from tests.teams import set_role
from tests.tokens.conftest import ConnectionFactory
from tests.tokens.factories import read_refreshes, reload
from tokens.connect.disconnect import disconnect_connection
from tokens.encryption import Secret
from tokens.errors import ConnectionUnusableError, NotConnectedError, OtherApplicationError
from tokens.models import Connection, TokenRefresh
from tokens.people.roles import Role
from tokens.permissions import SYSTEM
from tokens.refresh import lease
from tokens.refresh.due import refresh_due
from tokens.refresh.one import refresh_connections, refresh_one, refresh_queued
from tokens.refresh.tasks import queue_refresh, request_refresh

pytestmark = pytest.mark.django_db

Outcome = TokenRefresh.Outcome
Trigger = TokenRefresh.Trigger
TOKEN_PATH = "/auth/o2/token"


def take_lease(connection: Connection) -> lease.Lease:
    taken = lease.take_lease(connection.pk, Trigger.MANUAL)
    assert taken is not None
    return taken


def end_refresh(taken: lease.Lease, outcome: str, error: str = "", error_code: str = "") -> None:
    """Do what another process does at the end of its refresh."""
    now = timezone.now()
    TokenRefresh.objects.filter(pk=taken.refresh_id).update(
        outcome=outcome, error=error, error_code=error_code, finished_at=now
    )


class TestRefreshOfAnotherProcess:
    @pytest.mark.parametrize(
        ("outcome", "error"),
        [
            (Outcome.TRANSIENT, TransientError),
            (Outcome.THROTTLED, ThrottledError),
            (Outcome.POSTPONED, ThrottledError),
            (Outcome.REAUTHORIZATION_REQUIRED, GrantRevokedError),
            (Outcome.CONFIG, ApplicationRefusedError),
            (Outcome.PERMANENT, PermanentError),
        ],
    )
    async def test_its_error_is_the_answer(
        self, connect: ConnectionFactory, amazon: AmazonClient, outcome: str, error: type[AmazonError]
    ) -> None:
        connection = await in_thread(connect)("bob")
        taken = await in_thread(take_lease)(connection)
        waiting = asyncio.create_task(refresh_one(connection.pk, Trigger.ON_USE, amazon, max_wait=1))
        await asyncio.sleep(0.05)
        await in_thread(end_refresh)(taken, outcome, "It failed.", "some_code")
        refreshed = await waiting
        assert refreshed is not None
        assert refreshed.outcome == outcome
        assert isinstance(refreshed.error, error)
        assert str(refreshed.error) == "It failed."
        assert refreshed.error.code == "some_code"

    async def test_its_success_is_the_answer(
        self, connect: ConnectionFactory, amazon: AmazonClient, sandbox: Sandbox
    ) -> None:
        connection = await in_thread(connect)("bob")
        taken = await in_thread(take_lease)(connection)
        waiting = asyncio.create_task(refresh_one(connection.pk, Trigger.ON_USE, amazon, max_wait=1))
        await asyncio.sleep(0.05)
        await in_thread(end_refresh)(taken, Outcome.SUCCEEDED)
        refreshed = await waiting
        assert refreshed is not None
        assert (refreshed.outcome, refreshed.error) == (Outcome.SUCCEEDED, None)
        assert sandbox.journal.count(path=TOKEN_PATH) == 0

    async def test_its_lease_runs_out_and_is_taken(
        self, connect: ConnectionFactory, amazon: AmazonClient, sandbox: Sandbox
    ) -> None:
        connection = await in_thread(connect)("bob")
        await in_thread(take_lease)(connection)
        soon = timezone.now() + timedelta(seconds=0.1)
        await in_thread(Connection.objects.filter(pk=connection.pk).update)(next_refresh_at=soon)
        refreshed = await refresh_one(connection.pk, Trigger.ON_USE, amazon, max_wait=1)
        assert refreshed is not None
        assert refreshed.outcome == Outcome.SUCCEEDED
        assert [each.outcome for each in await read_refreshes(connection)] == ["lost", "succeeded"]

    async def test_its_row_was_pruned_and_the_connection_is_disconnected(
        self, connect: ConnectionFactory, amazon: AmazonClient
    ) -> None:
        def prune() -> None:
            disconnect_connection(SYSTEM, connection)
            TokenRefresh.objects.all().delete()

        connection = await in_thread(connect)("bob")
        await in_thread(take_lease)(connection)
        waiting = asyncio.create_task(refresh_one(connection.pk, Trigger.ON_USE, amazon, max_wait=1))
        await asyncio.sleep(0.05)
        await in_thread(prune)()
        with pytest.raises(NotConnectedError):
            await waiting


class TestUnusable:
    async def test_a_disconnected_connection_is_not_refreshed(
        self, connect: ConnectionFactory, amazon: AmazonClient, sandbox: Sandbox
    ) -> None:
        connection = await in_thread(connect)("bob")
        await in_thread(disconnect_connection)(SYSTEM, connection)
        with pytest.raises(NotConnectedError, match="is disconnected"):
            await refresh_one(connection.pk, Trigger.MANUAL, amazon, max_wait=1)
        assert sandbox.journal.count() == 0

    async def test_a_connection_of_another_application_is_not_refreshed(
        self, connect: ConnectionFactory, amazon: AmazonClient
    ) -> None:
        connection = await in_thread(connect)("bob", client_id="another")
        with pytest.raises(OtherApplicationError, match="another Login with Amazon application"):
            await refresh_one(connection.pk, Trigger.MANUAL, amazon, max_wait=1)

    async def test_a_token_that_cannot_be_decrypted_is_an_error_of_its_connection(
        self, connect: ConnectionFactory, amazon: AmazonClient, sandbox: Sandbox
    ) -> None:
        connection = await in_thread(connect)("bob")
        await in_thread(Connection.objects.update)(refresh_token=Secret("of a key that is gone"))
        counts = await refresh_connections([connection.pk], Trigger.MANUAL, amazon)
        assert dict(counts) == {"permanent": 1}
        assert "TOKEN_ENCRYPTION_KEYS" in (await reload(connection)).last_error
        assert sandbox.journal.count() == 0

    async def test_a_token_that_was_moved_is_an_error_of_its_connection_alone(
        self, connect: ConnectionFactory, amazon: AmazonClient
    ) -> None:
        def make() -> list[Connection]:
            attacked, other = connect("bob"), connect("charlie")
            assert other.refresh_token is not None
            moved = Secret(other.refresh_token.ciphertext)
            Connection.objects.filter(pk=attacked.pk).update(refresh_token=moved)
            return [attacked, other]

        attacked, other = await in_thread(make)()
        assert dict(await refresh_due(amazon)) == {"permanent": 1, "succeeded": 1}
        assert "another row or column" in (await reload(attacked)).last_error
        assert (await reload(other)).last_error == ""

    async def test_unusable_connections_are_skipped_and_the_others_refreshed(
        self, connect: ConnectionFactory, amazon: AmazonClient
    ) -> None:
        def make() -> list[Connection]:
            gone = connect("bob", label="Gone")
            disconnect_connection(SYSTEM, gone)
            broken = connect("bob", state="reauthorization_required", next_refresh_at=None)
            return [gone, broken, connect("bob", client_id="another"), connect("charlie")]

        ids = [each.pk for each in await in_thread(make)()]
        counts = await refresh_connections(ids, Trigger.MANUAL, amazon)
        assert dict(counts) == {"skipped": 3, "succeeded": 1}
        assert not counts.all_succeeded

    async def test_no_connections_are_no_work(self, amazon: AmazonClient, sandbox: Sandbox) -> None:
        counts = await refresh_connections([], Trigger.MANUAL, amazon)
        assert dict(counts) == {}
        assert counts.all_succeeded
        assert sandbox.journal.count() == 0


class TestQueued:
    @pytest.mark.parametrize(("seen", "calls"), [(None, 1), (0, 1), (7, 0)])
    async def test_it_is_made_only_if_no_other_one_has_ended_since(
        self,
        connect: ConnectionFactory,
        amazon: AmazonClient,
        sandbox: Sandbox,
        seen: int | None,
        calls: int,
    ) -> None:
        connection = await in_thread(connect)("bob")
        await refresh_queued(connection.pk, Trigger.ON_USE, amazon, seen=seen)
        assert sandbox.journal.count(path=TOKEN_PATH) == calls

    async def test_its_connection_may_be_disconnected_before_it_runs(
        self, connect: ConnectionFactory, amazon: AmazonClient, sandbox: Sandbox
    ) -> None:
        connection = await in_thread(connect)("bob")
        await in_thread(disconnect_connection)(SYSTEM, connection)
        await refresh_queued(connection.pk, Trigger.MANUAL, amazon)
        assert sandbox.journal.count() == 0

    async def test_its_failure_is_recorded_and_not_raised(
        self, connect: ConnectionFactory, amazon: AmazonClient, sandbox: Sandbox, settings: LazySettings
    ) -> None:
        settings.AMAZON_MAX_ATTEMPTS = 1
        connection = await in_thread(connect)("bob")
        sandbox.faults.add("error_503", path=TOKEN_PATH)
        await refresh_queued(connection.pk, Trigger.MANUAL, amazon)
        (refresh,) = await read_refreshes(connection)
        assert (refresh.trigger, refresh.outcome) == (Trigger.MANUAL, Outcome.TRANSIENT)


class TestRequest:
    def test_a_person_needs_the_permission(self, connect: ConnectionFactory, alice: User) -> None:
        connection = connect()
        with pytest.raises(PermissionDenied, match=r"tokens\.refresh_connection"):
            request_refresh(alice, connection)
        assert not ProcrastinateJob.objects.exists()

    def test_a_person_with_the_permission_queues_a_refresh(
        self, connect: ConnectionFactory, alice: User
    ) -> None:
        connection = connect()
        assert request_refresh(set_role(alice, Role.OPERATOR), connection)
        job = ProcrastinateJob.objects.get()
        # Before the refreshes that nobody waits for.
        assert (job.queue_name, job.priority) == ("tokens", 10)
        assert job.args == {"connection_id": str(connection.pk), "person_id": alice.pk, "key_id": None}
        assert not queue_refresh(connection, trigger=Trigger.ON_USE)

    @pytest.mark.parametrize(
        ("fields", "reason"),
        [
            ({"state": "reauthorization_required", "next_refresh_at": None}, "must be reconnected"),
            ({"client_id": "another"}, "another Login with Amazon application"),
        ],
    )
    def test_an_unusable_connection_is_refused_with_the_reason(
        self, connect: ConnectionFactory, fields: dict[str, str], reason: str
    ) -> None:
        with pytest.raises(ConnectionUnusableError, match=reason):
            request_refresh(SYSTEM, connect(**fields))
        assert not ProcrastinateJob.objects.exists()

    def test_connections_are_queued_apart(self, connect: ConnectionFactory) -> None:
        first, second = connect(), connect()
        assert queue_refresh(first, trigger=Trigger.MANUAL)
        assert queue_refresh(second, trigger=Trigger.MANUAL)
        assert not queue_refresh(first, trigger=Trigger.ON_USE)
        assert ProcrastinateJob.objects.count() == 2
