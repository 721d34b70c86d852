import time
from collections.abc import Iterator
from datetime import timedelta
from threading import Thread

import pytest
from django.conf import LazySettings
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.db import connections
from django.db.models import F
from django.utils import timezone
from procrastinate.contrib.django.models import ProcrastinateJob
from pytest_django import DjangoAssertNumQueries

from amazon_accounts.postgresql.clock import database_now
from amazon_accounts.sandbox.state import Sandbox
from tests.teams import set_role
from tests.tokens.conftest import ConnectionFactory, new_connection
from tokens.connect.disconnect import disconnect_connection
from tokens.encryption import Secret
from tokens.errors import ConnectionUnusableError
from tokens.models import AuditEntry, Connection
from tokens.people.roles import Role
from tokens.permissions import SYSTEM
from tokens.refresh.hand_out import (
    AccessTokenAnswer,
    TokenNotReadyError,
    hand_out_access_token,
    hand_out_access_tokens,
)

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def service(alice: User) -> User:
    return set_role(alice, Role.ADMINISTRATOR)


def outcomes() -> list[str]:
    return list(
        AuditEntry.objects.filter(action="access_token.hand_out")
        .order_by("pk")
        .values_list("outcome", flat=True)
    )


def test_a_token_that_is_good_is_given_at_once_and_written_down(
    service: User, connect: ConnectionFactory, sandbox: Sandbox, settings: LazySettings
) -> None:
    connection = connect(regions=["NA", "FE"])
    answer = hand_out_access_token(service, connection.pk)
    assert answer.access_token == "Atza|old"
    assert answer.expires_at == connection.expires_at
    assert answer.client_id == settings.AMAZON_CLIENT_ID
    assert set(answer.hosts) == {"NA", "FE"}
    assert "Atza" not in repr(answer)
    entry = AuditEntry.objects.get()
    assert (entry.actor_id, entry.object_id, entry.outcome) == (service.pk, str(connection.pk), "done")
    assert not ProcrastinateJob.objects.exists()


@pytest.fixture
def stale(connect: ConnectionFactory) -> Connection:
    return connect(expires_at=timezone.now() + timedelta(seconds=59))


@pytest.fixture
def refreshed_soon(stale: Connection) -> Iterator[None]:
    """A worker that has the refresh done a moment later."""

    def work() -> None:
        while not ProcrastinateJob.objects.filter(task_name="tokens.refresh_connection").exists():
            pass
        fresh = Connection.objects.get(pk=stale.pk)
        fresh.access_token = "Atza|new"
        fresh.expires_at = timezone.now() + timedelta(seconds=30)
        fresh.refresh_count += 1
        fresh.save()
        connections.close_all()

    thread = Thread(target=work)
    thread.start()
    yield
    thread.join()


@pytest.mark.usefixtures("refreshed_soon")
def test_a_stale_token_is_refreshed_first(service: User, stale: Connection) -> None:
    answer = hand_out_access_token(service, stale.pk)
    assert answer.access_token == "Atza|new"
    job = ProcrastinateJob.objects.get()
    assert job.args == {"connection_id": str(stale.pk), "trigger": "on_use", "seen": 0}
    assert outcomes() == ["done"]


def test_it_does_not_wait_for_ever(service: User, stale: Connection, settings: LazySettings) -> None:
    settings.ACCESS_TOKEN_WAIT_SECONDS = 0.3
    with pytest.raises(TokenNotReadyError) as raised:
        hand_out_access_token(service, stale.pk)
    assert raised.value.retry_after > 0
    assert outcomes() == ["failed"]


def test_a_dead_connection_gives_no_token(service: User, connect: ConnectionFactory) -> None:
    broken = connect(state="reauthorization_required", next_refresh_at=None)
    gone = connect()
    disconnect_connection(SYSTEM, gone)
    foreign = connect(client_id="amzn1.application-oa2-client.other")
    for connection in (broken, gone, foreign):
        with pytest.raises(ConnectionUnusableError):
            hand_out_access_token(service, connection.pk)
    assert outcomes() == ["refused"] * 3


def test_it_needs_the_permission_and_hides_connections_of_another_team(
    alice: User, service: User, settings: LazySettings, sandbox: Sandbox
) -> None:
    bob = User.objects.create_user("bob")
    theirs = new_connection(bob, settings, "Atzr|x")
    with pytest.raises(PermissionDenied):
        hand_out_access_token(bob, theirs.pk)
    with pytest.raises(Connection.DoesNotExist):
        hand_out_access_token(service, theirs.pk)
    assert outcomes() == ["refused"] * 2
    reasons = AuditEntry.objects.order_by("pk").values_list("after__reason", flat=True)
    assert list(reasons) == ["PermissionDenied", "DoesNotExist"]


class TestStoredToken:
    """A token is handed out while at least a minute, or a quarter of a short life, is left."""

    @pytest.mark.parametrize(
        ("life", "left", "is_fresh"),
        [(3600, 61, True), (3600, 59, False), (60, 16, True), (60, 14, False), (4, 1.5, True)],
    )
    def test_its_freshness_depends_on_its_life(
        self,
        service: User,
        connect: ConnectionFactory,
        settings: LazySettings,
        life: float,
        left: float,
        is_fresh: bool,
    ) -> None:
        settings.ACCESS_TOKEN_WAIT_SECONDS = 0
        expires_at = timezone.now() + timedelta(seconds=left)
        connection = connect(expires_at=expires_at, last_refreshed_at=expires_at - timedelta(seconds=life))
        if is_fresh:
            assert hand_out_access_token(service, connection.pk).expires_at == expires_at
        else:
            with pytest.raises(TokenNotReadyError):
                hand_out_access_token(service, connection.pk)

    @pytest.mark.parametrize(("left", "is_fresh"), [(61, True), (59, False)])
    @pytest.mark.usefixtures("wrong_clock")
    def test_its_freshness_does_not_depend_on_the_clock_of_the_process(
        self, service: User, connect: ConnectionFactory, settings: LazySettings, left: float, is_fresh: bool
    ) -> None:
        settings.ACCESS_TOKEN_WAIT_SECONDS = 0
        now = database_now()
        connection = connect(
            expires_at=now + timedelta(seconds=left), last_refreshed_at=now - timedelta(minutes=59)
        )
        if is_fresh:
            hand_out_access_token(service, connection.pk)
        else:
            with pytest.raises(TokenNotReadyError):
                hand_out_access_token(service, connection.pk)

    def test_a_connection_without_a_token_gets_one_by_a_refresh(
        self, service: User, connect: ConnectionFactory, settings: LazySettings
    ) -> None:
        settings.ACCESS_TOKEN_WAIT_SECONDS = 0
        connection = connect(access_token=None, expires_at=None)
        with pytest.raises(TokenNotReadyError, match="ask again"):
            hand_out_access_token(service, connection.pk)
        assert ProcrastinateJob.objects.get().args["trigger"] == "on_use"

    def test_a_token_that_cannot_be_decrypted_is_refused(
        self, service: User, connect: ConnectionFactory
    ) -> None:
        connection = connect()
        Connection.objects.update(access_token=Secret("of a key that is gone"))
        with pytest.raises(ConnectionUnusableError, match="its key is not among TOKEN_ENCRYPTION_KEYS"):
            hand_out_access_token(service, connection.pk)
        assert outcomes() == ["refused"]

    def test_a_token_that_was_copied_from_another_place_is_not_given(
        self, service: User, connect: ConnectionFactory
    ) -> None:
        # Somebody who can write to the database puts the refresh token in the place of the access token.
        connection = connect()
        Connection.objects.update(access_token=F("refresh_token"))
        with pytest.raises(ConnectionUnusableError, match="copied from another row or column"):
            hand_out_access_token(service, connection.pk)
        assert outcomes() == ["refused"]

    def test_many_requests_queue_one_refresh(
        self, service: User, stale: Connection, settings: LazySettings
    ) -> None:
        settings.ACCESS_TOKEN_WAIT_SECONDS = 0
        for _ in range(3):
            with pytest.raises(TokenNotReadyError):
                hand_out_access_token(service, stale.pk)
        assert ProcrastinateJob.objects.count() == 1
        assert outcomes() == ["failed"] * 3

    def test_the_type_of_the_token_is_bearer(self, service: User, connect: ConnectionFactory) -> None:
        assert hand_out_access_token(service, connect().pk).token_type == "bearer"


class TestMany:
    @pytest.mark.usefixtures("refreshed_soon")
    def test_fresh_and_refreshed_tokens_come_in_the_order_of_the_request(
        self, service: User, connect: ConnectionFactory, stale: Connection
    ) -> None:
        fresh = connect(refresh_token="Atzr|x")
        answers = hand_out_access_tokens(service, [stale.pk, fresh.pk])
        assert list(answers) == [stale.pk, fresh.pk]
        assert [
            answer.access_token for answer in answers.values() if isinstance(answer, AccessTokenAnswer)
        ] == [
            "Atza|new",
            "Atza|old",
        ]
        assert outcomes() == ["done", "done"]

    def test_they_wait_together_and_not_one_after_the_other(
        self, service: User, connect: ConnectionFactory, settings: LazySettings
    ) -> None:
        settings.ACCESS_TOKEN_WAIT_SECONDS = 1.0
        ids = [connect(refresh_token="Atzr|x", expires_at=database_now()).pk for number in range(20)]
        began = time.monotonic()
        answers = hand_out_access_tokens(service, ids)
        assert time.monotonic() - began < 10
        assert all(isinstance(answer, TokenNotReadyError) for answer in answers.values())
        assert outcomes() == ["failed"] * 20

    def test_fresh_tokens_cost_the_same_queries_however_many_they_are(
        self, service: User, connect: ConnectionFactory, django_assert_num_queries: DjangoAssertNumQueries
    ) -> None:
        ids = [connect(refresh_token="Atzr|x").pk for number in range(20)]
        service.has_perm("tokens.use_access_token")
        # The connections, the names of their teams, and the records in a transaction of their own.
        with django_assert_num_queries(5):
            answers = hand_out_access_tokens(service, ids)
        assert all(isinstance(answer, AccessTokenAnswer) for answer in answers.values())

    def test_a_login_that_is_refused_while_others_wait_is_an_error_of_its_own(
        self, service: User, connect: ConnectionFactory
    ) -> None:
        broken, fresh = (
            connect(state="reauthorization_required", next_refresh_at=None),
            connect(refresh_token="Atzr|x"),
        )
        answers = hand_out_access_tokens(service, [broken.pk, fresh.pk])
        assert isinstance(answers[broken.pk], ConnectionUnusableError)
        assert isinstance(answers[fresh.pk], AccessTokenAnswer)
        assert sorted(outcomes()) == ["done", "refused"]

    def test_they_need_the_permission(self, alice: User, connect: ConnectionFactory) -> None:
        connection = connect()
        with pytest.raises(PermissionDenied):
            hand_out_access_tokens(alice, [connection.pk])
        assert outcomes() == ["refused"]
