"""What the commands say to what a person can get wrong."""

import io
import logging
from typing import Any

import pytest
from django.conf import LazySettings
from django.contrib.auth.models import User
from django.core.management import call_command
from django.core.management.base import CommandError

from amazon_accounts.sandbox.state import Sandbox
from tests.sandbox_fixtures import SandboxServer
from tests.tokens.conftest import new_connection
from tokens.models import Connection

pytestmark = pytest.mark.django_db(transaction=True)

NOBODYS = "019064d4-0000-7000-8000-000000000000"
CONNECT = ["connect", "--owner", "alice", "--label", "X"]


@pytest.fixture
def sandbox(sandbox_server: SandboxServer) -> Sandbox:
    return sandbox_server.sandbox


@pytest.mark.parametrize(
    ("arguments", "settings_", "words"),
    [
        (["connect", "--owner", "nobody", "--label", "X"], {}, "no active user 'nobody'"),
        (["connect", "--owner", "alice"], {}, "--label is missing"),
        ([*CONNECT[:4], "x" * 201], {}, "1 to 200 characters"),
        ([*CONNECT, "--regions", "NA,XX"], {}, "Unknown region. The regions are"),
        ([*CONNECT, "--consented-at", "soon"], {}, "a date like 2026-08-01"),
        ([*CONNECT, "--consented-at", "2999-01-01"], {}, "in the future"),
        ([*CONNECT, "--csv", "/nowhere/at.all"], {}, "cannot be read"),
        (CONNECT, {"AMAZON_CLIENT_SECRET": "wrong"}, "Check AMAZON_CLIENT_ID and AMAZON_CLIENT_SECRET"),
        (CONNECT, {"AMAZON_LWA_URL": "http://127.0.0.1:9"}, "Check the network, and AMAZON_LWA_URL"),
        (["refresh_tokens", "--connection", NOBODYS], {}, f"no connection {NOBODYS}"),
        (["refresh_tokens", "--wait", "-1"], {}, "must not be negative"),
        (["runworker", "--concurrency", "0"], {}, "at least 1"),
    ],
)
def test_a_mistake_is_explained_and_leaves_nothing_behind(
    alice: User,
    sandbox: Sandbox,
    settings: LazySettings,
    arguments: list[str],
    settings_: dict[str, Any],
    words: str,
) -> None:
    settings.AMAZON_MAX_ATTEMPTS = 1
    for name, value in settings_.items():
        setattr(settings, name, value)
    token = sandbox.refresh_token("bob")
    stdin: dict[str, Any] = {"stdin": io.StringIO(f"{token}\n")} if arguments[0] == "connect" else {}
    with pytest.raises(CommandError) as raised:
        call_command(*arguments, **stdin)
    assert words in str(raised.value)
    assert "\n" not in str(raised.value)
    assert token not in str(raised.value)
    assert not Connection.objects.exists()


@pytest.mark.parametrize("text", ["", "\n", "two words\n", "with\0nul\n", "ünïcode\n", "x" * 2049 + "\n"])
def test_what_is_no_token_is_refused_without_a_call(alice: User, sandbox: Sandbox, text: str) -> None:
    with pytest.raises(CommandError, match="refresh token"):
        call_command(*CONNECT, stdin=io.StringIO(text))
    assert sandbox.journal.count() == 0


def test_a_token_may_be_imported_again(alice: User, sandbox: Sandbox, settings: LazySettings) -> None:
    """Also where the login is not known: then the token itself tells."""
    settings.AMAZON_SCOPES = "advertising::campaign_management"
    token = sandbox.refresh_token("bob", scopes=("advertising::campaign_management",))
    printed = []
    for _ in range(2):
        out = io.StringIO()
        call_command(*CONNECT, stdout=out, stdin=io.StringIO(token))
        printed.append(out.getvalue().splitlines()[-1])
    assert printed[0] == printed[1] == str(Connection.objects.get().pk)


def test_refreshing_a_connection_that_cannot_be_refreshed_is_explained(
    alice: User, sandbox: Sandbox, settings: LazySettings
) -> None:
    foreign = new_connection(alice, settings, "Atzr|x", client_id="amzn1.application-oa2-client.other")
    with pytest.raises(
        CommandError, match=r"Login with Amazon application, amzn1\.application-oa2-client\.other"
    ):
        call_command("refresh_tokens", "--connection", str(foreign.pk))


def test_a_dead_login_makes_the_command_fail(alice: User, sandbox: Sandbox, settings: LazySettings) -> None:
    connection = new_connection(alice, settings, sandbox.refresh_token("bob"))
    sandbox.revoke("bob")
    out = io.StringIO()
    with pytest.raises(CommandError, match="Sign in at Amazon again"):
        call_command("refresh_tokens", stdout=out)
    assert out.getvalue() == "0 refreshed, 0 postponed, 0 skipped, 1 failed\n"
    # It is known now, so a check has nothing to fail at; who asks for it by name is told.
    call_command("refresh_tokens", stdout=out)
    with pytest.raises(CommandError):
        call_command("refresh_tokens", "--connection", str(connection.pk), stdout=out)


def test_connect_leaves_the_log_as_it_was() -> None:
    calls = logging.getLogger("amazon_accounts.amazon_ads")
    before = calls.level
    with pytest.raises(CommandError, match="no active user"):
        call_command("connect", owner="nobody", label="x")
    assert calls.level == before
