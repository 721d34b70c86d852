"""A grant is kept when Amazon does not tell whose it is. Amazon is asked again, and two of one login become one."""

import asyncio
import io
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import pytest
from django.conf import LazySettings
from django.contrib.auth.models import User
from django.core.management import call_command
from django.db import connection as database
from django.db import transaction
from django.test import Client
from django.utils import timezone
from procrastinate.contrib.django.models import ProcrastinateJob

from amazon_accounts.amazon_ads.client import AmazonClient
from amazon_accounts.amazon_ads.lwa import Grant
from amazon_accounts.postgresql.threads import in_thread
from amazon_accounts.sandbox.state import Sandbox
from tests.sandbox_fixtures import SandboxServer
from tests.teams import set_role, team_of
from tests.tokens.conftest import ConnectionFactory
from tests.tokens.factories import make_due, reload
from tokens.connect import oauth
from tokens.connect.disconnect import disconnect_connection
from tokens.connect.forget import forget_login
from tokens.connect.grants import Connected
from tokens.connect.identification import identify_connection, record_identity
from tokens.connect.identity import Identity
from tokens.models import Alert, Connection, TokenRefresh
from tokens.people.roles import Role
from tokens.permissions import SYSTEM
from tokens.refresh import lease, outcomes
from tokens.refresh.one import refresh_connections
from tokens.refresh.revoked import mark_revoked
from tokens.signals import connection_changed

pytestmark = pytest.mark.django_db(transaction=True)

PROFILE = "/user/profile"
BOB = Identity("amzn1.account.BOB", "Bob", "bob@example.test")
NOT_IDENTIFIED = "Amazon did not say yet which login it is"


def count_jobs() -> int:
    return ProcrastinateJob.objects.filter(task_name="tokens.identify_login", status="todo").count()


def read_token(connection: Connection) -> str:
    stored = Connection.objects.get(pk=connection.pk).refresh_token
    assert stored is not None
    return stored.reveal()


@in_thread
def _begin(user: User, connection: Connection | None) -> str:
    return oauth.begin(set_role(user, Role.OPERATOR), "session", connection=connection)


async def come_back(
    user: User, sandbox: Sandbox, amazon: AmazonClient, *, connection: Connection | None = None
) -> Connected:
    address = await asyncio.to_thread(sandbox.consent, await _begin(user, connection), "bob")
    answer = dict(parse_qsl(urlsplit(address).query))
    person = await in_thread(User.objects.get)(pk=user.pk)
    return await oauth.complete_authorization(person, "session", answer, amazon)


class TestCallback:
    async def test_a_fault_of_amazon_is_tried_again(
        self, alice: User, sandbox: Sandbox, amazon: AmazonClient
    ) -> None:
        sandbox.faults.add("error_500", path=PROFILE, count=1)
        connection = (await come_back(alice, sandbox, amazon)).connection
        assert connection.amazon_user_id == sandbox.world.logins["bob"].user_id
        assert not connection.is_identity_pending
        assert await in_thread(count_jobs)() == 0

    async def test_the_grant_is_kept_when_amazon_does_not_tell_the_login(
        self, alice: User, sandbox: Sandbox, amazon: AmazonClient
    ) -> None:
        sandbox.faults.add("error_503", path=PROFILE)
        connected = await come_back(alice, sandbox, amazon)
        assert connected.is_new
        stored = await reload(connected.connection)
        assert (stored.state, stored.amazon_user_id, stored.is_identity_pending) == ("active", None, True)
        assert stored.refresh_token is not None
        assert sandbox.journal.count(path=PROFILE) == 3
        assert await in_thread(count_jobs)() == 1

    async def test_a_question_that_hangs_ends_in_time_and_the_grant_is_kept(
        self, alice: User, sandbox: Sandbox, amazon: AmazonClient, settings: LazySettings
    ) -> None:
        settings.OAUTH_CALLBACK_SECONDS = 0.5
        sandbox.faults.add("hang", path=PROFILE)
        began_at = time.monotonic()
        connection = (await come_back(alice, sandbox, amazon)).connection
        assert time.monotonic() - began_at < 5
        assert (await reload(connection)).is_identity_pending

    async def test_the_grant_of_an_unknown_login_does_not_replace_that_of_a_known_login(
        self, alice: User, sandbox: Sandbox, amazon: AmazonClient, connect: ConnectionFactory
    ) -> None:
        known = await in_thread(connect)(amazon_user_id="amzn1.account.CAROL", regions=["EU"])
        token = await in_thread(read_token)(known)
        sandbox.faults.add("error_503", path=PROFILE)
        connected = await come_back(alice, sandbox, amazon, connection=known)
        assert connected.is_new
        assert (connected.connection.regions, connected.connection.is_identity_pending) == (["EU"], True)
        assert await in_thread(read_token)(known) == token

    async def test_the_grant_that_a_colleague_brings_belongs_to_the_owner_of_the_connection(
        self, sandbox: Sandbox, amazon: AmazonClient, connect: ConnectionFactory
    ) -> None:
        colleague = await in_thread(User.objects.create_superuser)("root")
        known = await in_thread(connect)(amazon_user_id="amzn1.account.CAROL", regions=["EU"])
        sandbox.faults.add("error_503", path=PROFILE)
        connected = await come_back(colleague, sandbox, amazon, connection=known)
        assert connected.is_new
        assert connected.connection.owner_id == known.owner_id


class TestPage:
    def test_the_pages_say_that_the_login_is_not_identified_yet(
        self, alice: User, client: Client, connect: ConnectionFactory, sandbox: Sandbox
    ) -> None:
        connection = connect(is_identity_pending=True)
        set_role(alice, Role.OPERATOR)
        client.force_login(alice)
        assert "Login not identified yet" in client.get(f"/connections/{connection.pk}/").content.decode()
        assert "Login not identified yet" in client.get("/connections/").content.decode()
        answer = client.get(f"/api/v1/connections/{connection.pk}/").json()
        assert not answer["amazon_user"]


class TestAskingAgain:
    async def test_each_refresh_asks_until_amazon_answers(
        self, amazon: AmazonClient, sandbox: Sandbox, connect: ConnectionFactory
    ) -> None:
        connection = await in_thread(connect)(is_identity_pending=True)
        sandbox.faults.add("error_503", path=PROFILE)
        await refresh_connections([connection.pk], TokenRefresh.Trigger.MANUAL, amazon)
        assert await in_thread(count_jobs)() == 1
        assert not await identify_connection(connection.pk, amazon)
        assert (await reload(connection)).is_identity_pending

        sandbox.faults.clear()
        await refresh_connections([connection.pk], TokenRefresh.Trigger.MANUAL, amazon)
        assert await identify_connection(connection.pk, amazon)
        stored = await reload(connection)
        assert stored.amazon_user_id == sandbox.world.logins["bob"].user_id
        assert (stored.is_identity_pending, stored.grant_version) == (False, 1)

        asked = sandbox.journal.count(path=PROFILE)
        assert not await identify_connection(connection.pk, amazon)
        assert sandbox.journal.count(path=PROFILE) == asked

    async def test_an_identified_login_is_not_asked_about_after_a_refresh(
        self, amazon: AmazonClient, connect: ConnectionFactory
    ) -> None:
        connection = await in_thread(connect)()
        await refresh_connections([connection.pk], TokenRefresh.Trigger.MANUAL, amazon)
        assert await in_thread(count_jobs)() == 0

    async def test_a_refused_access_token_leaves_the_question_open(
        self, amazon: AmazonClient, sandbox: Sandbox, connect: ConnectionFactory
    ) -> None:
        connection = await in_thread(connect)(is_identity_pending=True)
        assert not await identify_connection(connection.pk, amazon)
        assert (await reload(connection)).is_identity_pending
        assert sandbox.journal.count(path=PROFILE) == 1

    async def test_a_login_that_withholds_its_profile_is_asked_once(
        self, amazon: AmazonClient, sandbox: Sandbox, connect: ConnectionFactory
    ) -> None:
        token = sandbox.refresh_token("bob", scopes=("advertising::campaign_management",))
        connection = await in_thread(connect)(refresh_token=token, is_identity_pending=True)
        await refresh_connections([connection.pk], TokenRefresh.Trigger.MANUAL, amazon)
        assert await identify_connection(connection.pk, amazon)
        stored = await reload(connection)
        assert (stored.is_identity_pending, stored.amazon_user_id) == (False, None)

    async def test_the_newer_grant_moves_into_the_older_connection_of_the_login(
        self, amazon: AmazonClient, sandbox: Sandbox, connect: ConnectionFactory
    ) -> None:
        user_id = sandbox.world.logins["bob"].user_id
        older = await in_thread(connect)(
            label="Garden", amazon_user_id=user_id, state="reauthorization_required", next_refresh_at=None
        )
        newer = await in_thread(connect)(is_identity_pending=True, consented_at=timezone.now())
        token = await in_thread(read_token)(newer)
        await refresh_connections([newer.pk], TokenRefresh.Trigger.MANUAL, amazon)
        assert await identify_connection(newer.pk, amazon)
        goes_on, ended = await reload(older), await reload(newer)
        assert (goes_on.state, goes_on.label, goes_on.grant_version) == ("active", "Garden", 2)
        assert (goes_on.is_identity_pending, goes_on.lease_id) == (False, None)
        assert goes_on.consented_at == newer.consented_at
        assert await in_thread(read_token)(older) == token
        assert (ended.state, ended.refresh_token, ended.access_token) == ("disconnected", None, None)
        assert f"is connected as {older.pk}" in ended.last_error
        # The history stays with the connection that it is about.
        assert await in_thread(newer.refreshes.count)() == 1
        kinds = await in_thread(lambda: set(Alert.objects.values_list("kind", "connection_id")))()
        assert kinds == {("connection_healed", older.pk)}


@pytest.fixture
def older(connect: ConnectionFactory) -> Connection:
    return connect(
        amazon_user_id=BOB.user_id,
        refresh_token="Atzr|older",
        consented_at=timezone.now() - timedelta(days=30),
    )


@pytest.fixture
def newer(older: Connection, connect: ConnectionFactory) -> Connection:
    return connect(refresh_token="Atzr|newer", is_identity_pending=True, consented_at=timezone.now())


@pytest.fixture
def dying_process() -> Iterator[None]:
    def die(change: str, **_: object) -> None:
        if change == "healed":
            raise SystemExit

    connection_changed.connect(die)
    yield
    connection_changed.disconnect(die)


def list_states() -> list[tuple[str, bool]]:
    return list(Connection.objects.order_by("pk").values_list("state", "is_identity_pending"))


UNTOUCHED = [("active", False), ("active", True)]
MERGED = [("active", False), ("disconnected", False)]


class TestMerging:
    def test_a_process_that_dies_in_the_middle_changes_nothing(
        self, older: Connection, newer: Connection, dying_process: None
    ) -> None:
        with pytest.raises(SystemExit):
            record_identity(newer.pk, 1, BOB)
        assert list_states() == UNTOUCHED
        assert read_token(older) == "Atzr|older"
        assert read_token(newer) == "Atzr|newer"

    async def test_two_processes_merge_once(self, older: Connection, newer: Connection) -> None:
        record = in_thread(record_identity)
        recorded = await asyncio.gather(*(record(newer.pk, 1, BOB) for _ in range(2)))
        assert sorted(recorded) == [False, True]
        assert await in_thread(list_states)() == MERGED
        assert (await reload(older)).grant_version == 2

    def test_another_grant_or_a_refresh_under_way_is_left_alone(
        self, older: Connection, newer: Connection
    ) -> None:
        assert not record_identity(newer.pk, 2, BOB)
        assert lease.take_lease(newer.pk, TokenRefresh.Trigger.MANUAL) is not None
        assert not record_identity(newer.pk, 1, BOB)
        assert list_states() == UNTOUCHED

    def test_a_late_refresh_of_the_old_grant_changes_nothing(
        self, older: Connection, newer: Connection
    ) -> None:
        late = lease.take_lease(older.pk, TokenRefresh.Trigger.MANUAL)
        assert late is not None
        assert record_identity(newer.pk, 1, BOB)
        grant = Grant("Atza|late", "Atzr|late", 3600, "r-1")
        assert outcomes.record_success(late, grant, sent_at=time.monotonic(), tries=1) == "superseded"
        assert read_token(older) == "Atzr|newer"

    @pytest.mark.parametrize("is_broken", [False, True])
    def test_a_frozen_process_brings_the_rotated_token_to_the_connection_that_goes_on(
        self, older: Connection, newer: Connection, connect: ConnectionFactory, *, is_broken: bool
    ) -> None:
        bystander = connect(refresh_token="Atzr|bystander", consented_at=newer.consented_at)
        frozen = lease.take_lease(newer.pk, TokenRefresh.Trigger.MANUAL)
        assert frozen is not None
        make_due(newer)
        assert record_identity(newer.pk, 1, BOB)
        if is_broken:
            # Amazon has ended the token that was stored when the two became one.
            assert mark_revoked(Connection.objects.get(pk=older.pk), "Refused.")
        grant = Grant("Atza|rotated", "Atzr|rotated", 3600, "r-1")
        assert outcomes.record_success(frozen, grant, sent_at=time.monotonic(), tries=1) == "superseded"
        assert read_token(older) == "Atzr|rotated"
        assert Connection.objects.get(pk=older.pk).state == Connection.State.ACTIVE
        assert Connection.objects.get(pk=newer.pk).refresh_token is None
        assert read_token(bystander) == "Atzr|bystander"

    def test_a_refresh_of_the_known_connection_brings_its_rotated_token_too(
        self, newer: Connection, connect: ConnectionFactory
    ) -> None:
        Connection.objects.filter(amazon_user_id=BOB.user_id).update(amazon_user_id="amzn1.account.CAROL")
        known = connect(amazon_user_id=BOB.user_id, refresh_token="Atzr|known")
        Connection.objects.filter(pk=known.pk).update(consented_at=timezone.now() + timedelta(seconds=1))
        late = lease.take_lease(known.pk, TokenRefresh.Trigger.MANUAL)
        assert late is not None
        assert record_identity(newer.pk, 1, BOB)
        grant = Grant("Atza|rotated", "Atzr|rotated", 3600, "r-1")
        assert outcomes.record_success(late, grant, sent_at=time.monotonic(), tries=1) == "superseded"
        assert read_token(newer) == "Atzr|rotated"

    def test_a_grant_that_the_known_connection_got_later_stays(
        self, older: Connection, newer: Connection
    ) -> None:
        Connection.objects.filter(pk=older.pk).update(consented_at=timezone.now() + timedelta(seconds=1))
        assert record_identity(newer.pk, 1, BOB)
        assert list_states() == MERGED
        assert read_token(older) == "Atzr|older"
        assert Connection.objects.get(pk=older.pk).grant_version == 1

    def test_the_older_connection_goes_on_also_if_it_is_the_one_that_was_not_identified(
        self, newer: Connection, connect: ConnectionFactory
    ) -> None:
        Connection.objects.filter(amazon_user_id=BOB.user_id).update(amazon_user_id="amzn1.account.CAROL")
        known = connect(amazon_user_id=BOB.user_id, refresh_token="Atzr|known")
        Connection.objects.filter(pk=known.pk).update(consented_at=timezone.now() + timedelta(seconds=1))
        assert record_identity(newer.pk, 1, BOB)
        assert Connection.objects.get(pk=known.pk).state == "disconnected"
        stored = Connection.objects.get(pk=newer.pk)
        assert (stored.state, stored.amazon_user_id) == ("active", BOB.user_id)
        assert read_token(newer) == "Atzr|known"

    def test_a_forgotten_connection_gets_no_name(self, older: Connection, newer: Connection) -> None:
        for connection in (older, newer):
            disconnect_connection(SYSTEM, connection)
            forget_login(SYSTEM, connection)
        # As if the answer had been on its way while the login was forgotten.
        Connection.objects.filter(pk=newer.pk).update(is_identity_pending=True)
        assert not record_identity(newer.pk, 1, BOB)
        names = Connection.objects.values_list("amazon_user_id", "amazon_user_name", "amazon_user_email")
        assert list(names) == [(None, "", ""), (None, "", "")]

    def test_the_connection_of_another_team_or_application_is_not_touched(
        self, older: Connection, newer: Connection
    ) -> None:
        stranger = User.objects.create_user("stranger")
        Connection.objects.filter(pk=older.pk).update(team=team_of(stranger))
        assert record_identity(newer.pk, 1, BOB)
        assert list_states() == [("active", False), ("active", False)]
        assert Connection.objects.get(pk=newer.pk).amazon_user_id == BOB.user_id

    def test_a_connection_that_moves_meanwhile_is_not_merged_into_one_of_its_old_team(
        self, older: Connection, newer: Connection
    ) -> None:
        other = team_of(User.objects.create_user("stranger"))
        with ThreadPoolExecutor(1) as threads:
            with transaction.atomic():
                Connection.objects.filter(pk=newer.pk).update(team=other)
                # It has read the old team, and waits for the row that moves.
                recorded = threads.submit(in_thread_of_its_own, record_identity, newer.pk, 1, BOB)
                wait_until_something_is_blocked()
            assert recorded.result() is False
        assert list_states() == UNTOUCHED
        assert read_token(older) == "Atzr|older"
        # The next refresh asks again: in its new team nothing has the login.
        assert record_identity(newer.pk, 1, BOB)
        assert list_states() == [("active", False), ("active", False)]
        assert Connection.objects.get(pk=newer.pk).amazon_user_id == BOB.user_id


def in_thread_of_its_own(deed: Callable[..., bool], *arguments: object) -> bool:
    try:
        return deed(*arguments)
    finally:
        database.close()


def wait_until_something_is_blocked() -> None:
    deadline = time.monotonic() + 10
    blocked = False
    with database.cursor() as cursor:
        while not blocked:
            assert time.monotonic() < deadline
            cursor.execute("SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted)")
            (blocked,) = cursor.fetchone()


class TestCommand:
    @pytest.fixture
    def sandbox(self, sandbox_server: SandboxServer) -> Sandbox:
        sandbox_server.sandbox.faults.add("error_503", path=PROFILE)
        return sandbox_server.sandbox

    def test_a_token_is_kept_when_amazon_does_not_tell_the_login(self, alice: User, sandbox: Sandbox) -> None:
        out, errors = io.StringIO(), io.StringIO()
        stdin = io.StringIO(sandbox.refresh_token("bob"))
        call_command("connect", owner="alice", label="Bob", stdin=stdin, stdout=out, stderr=errors)
        assert out.getvalue().strip() == str(Connection.objects.get(is_identity_pending=True).pk)
        assert NOT_IDENTIFIED in errors.getvalue()

    def test_the_lines_of_a_file_are_kept_when_amazon_does_not_tell_the_logins(
        self, alice: User, sandbox: Sandbox, tmp_path: Path
    ) -> None:
        path = tmp_path / "logins.csv"
        path.write_text(f"Bob,{sandbox.refresh_token('bob')}\nCarol,{sandbox.refresh_token('alice')}\n")
        out, errors = io.StringIO(), io.StringIO()
        call_command("connect", owner="alice", csv=str(path), stdout=out, stderr=errors)
        assert Connection.objects.filter(is_identity_pending=True).count() == 2
        assert out.getvalue().splitlines()[-1].startswith("2 connected")
        assert f"line 2: {NOT_IDENTIFIED}" in errors.getvalue()
