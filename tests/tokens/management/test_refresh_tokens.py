"""`manage.py refresh_tokens`."""

import io
import json
from datetime import timedelta
from uuid import uuid4

import pytest
from django.conf import LazySettings
from django.core.management import CommandError, call_command
from django.utils import timezone

from amazon_accounts.postgresql.threads import in_thread
from amazon_accounts.sandbox.state import Sandbox
from tests.sandbox_fixtures import SandboxServer
from tests.tokens.conftest import ConnectionFactory
from tokens.connect.disconnect import disconnect_connection
from tokens.models import Connection, TokenRefresh
from tokens.permissions import SYSTEM

pytestmark = pytest.mark.django_db(transaction=True)

LATER = timedelta(hours=1)


@pytest.fixture
def sandbox(sandbox_server: SandboxServer) -> Sandbox:
    """Over HTTP, because the command makes a client of its own."""
    return sandbox_server.sandbox


def refresh_tokens(*arguments: str) -> str:
    out = io.StringIO()
    call_command("refresh_tokens", *arguments, stdout=out)
    return out.getvalue()


def test_only_connections_that_are_due_are_refreshed(connect: ConnectionFactory) -> None:
    due, later = connect("bob"), connect("charlie", next_refresh_at=timezone.now() + LATER)
    assert refresh_tokens() == "1 refreshed, 0 postponed, 0 skipped, 0 failed\n"
    due.refresh_from_db()
    later.refresh_from_db()
    assert (due.refresh_count, later.refresh_count) == (1, 0)


def test_all_live_connections_are_refreshed_on_demand(connect: ConnectionFactory) -> None:
    connect("bob", next_refresh_at=timezone.now() + LATER)
    connect("charlie", next_refresh_at=timezone.now() + LATER)
    connect("bob", client_id="another")
    assert refresh_tokens("--all") == "2 refreshed, 0 postponed, 0 skipped, 0 failed\n"


def test_named_connections_are_refreshed_once_each(connect: ConnectionFactory) -> None:
    named, other = connect("bob"), connect("charlie")
    printed = refresh_tokens("--connection", str(named.pk), "--connection", str(named.pk))
    assert printed == "1 refreshed, 0 postponed, 0 skipped, 0 failed\n"
    assert named.refreshes.count() == 1
    assert named.refreshes.get().trigger == TokenRefresh.Trigger.MANUAL
    assert not other.refreshes.exists()


def test_the_counts_are_printed_as_json(connect: ConnectionFactory) -> None:
    connect("bob")
    assert json.loads(refresh_tokens("--json")) == {
        "refreshed": 1,
        "postponed": 0,
        "skipped": 0,
        "failed": 0,
        "outcomes": {"succeeded": 1},
    }


def test_nothing_due_is_a_success(sandbox: Sandbox) -> None:
    assert refresh_tokens() == "0 refreshed, 0 postponed, 0 skipped, 0 failed\n"
    assert sandbox.journal.count() == 0


def test_a_failure_is_explained(connect: ConnectionFactory, sandbox: Sandbox, settings: LazySettings) -> None:
    settings.AMAZON_MAX_ATTEMPTS = 1
    connect("bob")
    sandbox.faults.add("error_503", path="/auth/o2/token")
    with pytest.raises(CommandError, match=r"Not all were refreshed\. Amazon answered 503"):
        refresh_tokens()


def test_a_broken_connection_is_refused_with_the_reason(connect: ConnectionFactory, sandbox: Sandbox) -> None:
    connection = connect("bob")
    sandbox.revoke("bob")
    with pytest.raises(CommandError, match="Sign in at Amazon again"):
        refresh_tokens()
    with pytest.raises(CommandError, match=r"cannot be refreshed\. Amazon refuses this login"):
        refresh_tokens("--connection", str(connection.pk))


def test_a_failure_without_a_recorded_reason_is_reported_without_one(
    connect: ConnectionFactory, sandbox: Sandbox
) -> None:
    connection = connect("bob")

    async def disconnect(_: object) -> None:
        await in_thread(disconnect_connection)(SYSTEM, connection)

    sandbox.faults.add("run", path="/auth/o2/token", options={"function": disconnect})
    with pytest.raises(CommandError) as raised:
        refresh_tokens("--connection", str(connection.pk))
    assert str(raised.value) == "Not all were refreshed."


class TestBadInput:
    def test_a_connection_that_does_not_exist(self, sandbox: Sandbox) -> None:
        missing = uuid4()
        with pytest.raises(CommandError, match=f"There is no connection {missing}"):
            refresh_tokens("--connection", str(missing))

    def test_a_connection_that_is_disconnected(self, connect: ConnectionFactory) -> None:
        connection = connect()
        disconnect_connection(SYSTEM, connection)
        with pytest.raises(CommandError, match=r"cannot be refreshed\. The connection is disconnected"):
            refresh_tokens("--connection", str(connection.pk))

    def test_a_connection_of_another_application(self, connect: ConnectionFactory) -> None:
        connection = connect(client_id="another")
        with pytest.raises(CommandError, match=r"cannot be refreshed\. The connection belongs to another"):
            refresh_tokens("--connection", str(connection.pk))

    @pytest.mark.parametrize(
        ("arguments", "words"),
        [
            (["--connection", "7"], "invalid UUID value"),
            (["--wait", "-1"], "--wait must not be negative"),
            (["--wait", "long"], "invalid float value"),
            (["--all", "--connection", str(uuid4())], "not allowed with argument"),
        ],
    )
    def test_an_option_that_makes_no_sense(self, sandbox: Sandbox, arguments: list[str], words: str) -> None:
        with pytest.raises(CommandError, match=words):
            refresh_tokens(*arguments)
        assert not Connection.objects.filter(refresh_count__gt=0).exists()
