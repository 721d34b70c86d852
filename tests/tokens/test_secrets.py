"""Searches the database, the pages and all output for real secrets, after each part of the product has run."""

import logging
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from html import unescape
from http import HTTPStatus
from pathlib import Path
from urllib.parse import parse_qs, quote, urlsplit

import pytest
from cryptography.fernet import Fernet
from django.apps import apps
from django.conf import LazySettings
from django.contrib import admin
from django.contrib.auth.models import User
from django.core import mail
from django.db import connection as database
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from psycopg.sql import SQL, Identifier

from amazon_accounts.sandbox.state import Sandbox
from tests.api_keys import new_key
from tests.processes import eventually, run, running
from tests.sandbox_fixtures import SandboxServer
from tokens.alerts import delivery
from tokens.connect import oauth
from tokens.models import Alert, Connection, Session
from tokens.people.sessions import SessionStore

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow, pytest.mark.timeout(600)]

TOKEN = re.compile(r"Atz[ar](\||%7C|\\u007c)", re.IGNORECASE)
PAGES = ["/", "/accounts/", "/connections/", "/operations/", "/admin/"]
QUICK = {"AMAZON_BACKOFF_BASE_SECONDS": "0.01", "TOKEN_REFRESH_CHECK_SECONDS": "2"}
TOKEN_PATH = "/auth/o2/token"
API = ["accounts/", "connections/", "accounts/health/", "accounts/sync-runs/", "accounts/changes/"]


@pytest.fixture
def boss(transactional_db: None) -> User:
    return User.objects.create_superuser("boss", "boss@example.test", "boss-password")


def everything_stored() -> Iterator[tuple[str, str]]:
    with database.cursor() as cursor:
        for table in database.introspection.table_names(cursor):
            cursor.execute(SQL("SELECT stored::text FROM {} AS stored").format(Identifier(table)))
            yield table, "\n".join(text for (text,) in cursor.fetchall())
    for session in Session.objects.all():
        yield "a session", str(SessionStore().decode(session.data))


def everything_shown(browser: Client, headers: dict[str, str]) -> Iterator[tuple[str, str]]:
    connections = [str(pk) for pk in Connection.objects.values_list("pk", flat=True)]
    pages = [*PAGES, *(f"/connections/{pk}/" for pk in connections)]
    for model in apps.get_app_config("tokens").get_models():
        if model not in admin.site._registry:
            continue
        name = f"{model._meta.app_label}_{model._meta.model_name}"
        pages.append(reverse(f"admin:{name}_changelist"))
        first = model._default_manager.first()
        if first is not None:
            pages.append(reverse(f"admin:{name}_change", args=[first.pk]))
    for page in pages:
        yield page, browser.get(page, follow=True).content.decode()
    for path in [*API, *(f"connections/{pk}/{part}" for pk in connections for part in ("", "refreshes/"))]:
        yield path, Client().get(f"/api/v1/{path}", headers=headers).content.decode()


@dataclass
class Leaks:
    """The secrets that a test has used, and the texts in which none of them may be found."""

    browser: Client
    headers: dict[str, str]
    log: pytest.LogCaptureFixture
    secrets: list[str] = field(default_factory=list)
    outputs: list[tuple[str, str]] = field(default_factory=list)

    def run(self, *arguments: str, stdin: str = "", **extra: str) -> None:
        result = run(*arguments, stdin=stdin, **{**QUICK, **extra})
        self.outputs.append((" ".join(arguments), result.stdout + result.stderr))

    def find(self) -> list[tuple[str, str]]:
        """Search everything; return where a secret is and how the secret begins."""
        texts = [
            *self.outputs,
            ("the log", self.log.text),
            *everything_shown(self.browser, self.headers),
            *everything_stored(),
        ]
        known = [
            (where, secret[:6])
            for where, text in texts
            for secret in self.secrets
            if secret in text or quote(secret, safe="") in text
        ]
        return known + [(where, "a token") for where, text in texts if TOKEN.search(text)]


@pytest.fixture
def leaks(
    boss: User,
    client: Client,
    sandbox_server: SandboxServer,
    settings: LazySettings,
    caplog: pytest.LogCaptureFixture,
) -> Leaks:
    caplog.set_level(logging.DEBUG)
    settings.AMAZON_BACKOFF_BASE_SECONDS = 0.01
    client.force_login(boss)
    key = new_key(boss)
    secrets = [*settings.TOKEN_ENCRYPTION_KEYS, settings.SECRET_KEY, settings.AMAZON_CLIENT_SECRET, key]
    return Leaks(client, {"Authorization": f"Token {key}"}, caplog, secrets)


@pytest.fixture
def connected(leaks: Leaks, sandbox_server: SandboxServer) -> list[Connection]:
    """Connections of alice and bob, made by command."""
    for login in ("alice", "bob"):
        token = sandbox_server.sandbox.refresh_token(login)
        leaks.secrets.append(token.removeprefix("Atzr|"))
        leaks.run("connect", "--owner", "boss", "--label", login, stdin=token)
    return list(Connection.objects.order_by("label"))


def reveal_tokens(connection: Connection) -> list[str]:
    """Return the tokens of the connection without their prefixes, which every token has."""
    connection.refresh_from_db()
    return [
        secret.reveal().split("|")[1]
        for secret in (connection.access_token, connection.refresh_token)
        if secret is not None
    ]


def begin_consent(leaks: Leaks) -> str:
    page = leaks.browser.post("/connect/amazon/?at-public-url=1", {"regions": "EU"})
    address = unescape(re.findall(r'<a href="([^"]+)" rel="noreferrer"', page.content.decode())[0])
    state = parse_qs(urlsplit(address).query)["state"][0]
    leaks.secrets += [state, oauth._code_verifier(state)]
    return address


def give_consent(leaks: Leaks, sandbox: Sandbox, decision: str = "allow") -> str:
    back = sandbox.consent(begin_consent(leaks), "bob", decision)
    leaks.secrets += parse_qs(urlsplit(back).query).get("code", [])
    return back


@pytest.mark.parametrize("decision", ["allow", "cancel"])
def test_a_consent_in_the_browser_leaks_nothing(
    leaks: Leaks, sandbox_server: SandboxServer, decision: str
) -> None:
    leaks.browser.get(give_consent(leaks, sandbox_server.sandbox, decision))
    for connection in Connection.objects.all():
        leaks.secrets += reveal_tokens(connection)
    assert Connection.objects.exists() is (decision == "allow")
    assert leaks.find() == []


def test_a_refusal_in_which_amazon_repeats_our_secrets_leaks_nothing(
    leaks: Leaks, sandbox_server: SandboxServer, settings: LazySettings
) -> None:
    back = give_consent(leaks, sandbox_server.sandbox)
    echo = f"{leaks.secrets[-1]} {settings.AMAZON_CLIENT_SECRET}"
    sandbox_server.sandbox.faults.add("lwa_error", path=TOKEN_PATH, description=echo)
    leaks.browser.get(back)
    assert not Connection.objects.exists()
    assert leaks.find() == []


def test_a_token_that_amazon_refuses_and_repeats_leaks_nowhere(
    leaks: Leaks, sandbox_server: SandboxServer
) -> None:
    refused = sandbox_server.sandbox.refresh_token("charlie")
    leaks.secrets.append(refused.removeprefix("Atzr|"))
    echo = f"{refused} {quote(refused)}"
    sandbox_server.sandbox.faults.add("lwa_error", path=TOKEN_PATH, description=echo)
    leaks.run("connect", "--owner", "boss", "--label", "Refused", stdin=refused)
    assert not Connection.objects.exists()
    assert leaks.find() == []


def test_refreshing_by_command_leaks_nothing(leaks: Leaks, connected: list[Connection]) -> None:
    leaks.secrets.append("wrong-but-secret")
    leaks.run("refresh_tokens", "--all", AMAZON_CLIENT_SECRET="wrong-but-secret")
    leaks.run("refresh_tokens", "--all")
    for connection in connected:
        leaks.secrets += reveal_tokens(connection)
    assert leaks.find() == []


def test_worker_and_scheduler_leak_nothing(
    leaks: Leaks, connected: list[Connection], sandbox_server: SandboxServer, tmp_path: Path
) -> None:
    sandbox = sandbox_server.sandbox
    # Amazon rejects tokens and fails; then a login breaks.
    sandbox.faults.add("end_token", area="api", every=5)
    sandbox.faults.add("error_500", path=TOKEN_PATH, every=3)
    Connection.objects.update(next_refresh_at=timezone.now())
    with (
        running("runworker", log=tmp_path / "worker.log", **QUICK) as worker,
        running("runscheduler", log=tmp_path / "scheduler.log", **QUICK) as scheduler,
    ):
        # The failures may open the circuit of Login with Amazon for a minute.
        eventually(both_are_synced, 180)
        sandbox.revoke("bob")
        Connection.objects.filter(state="active").update(next_refresh_at=timezone.now())
        eventually(lambda: Connection.objects.filter(state="reauthorization_required").exists(), 180)
        leaks.run("sync_accounts", "--json")
        scheduler.terminate()
        worker.terminate()
        leaks.outputs += [("worker", worker.output()), ("scheduler", scheduler.output())]
    # The worker may have sent its alerts already, as mails of its own process.
    Alert.objects.update(sent_at=None, told_at=None, message_id=None, next_try_at=timezone.now())
    delivery.send_due_alerts()
    leaks.outputs += [("a mail", f"{message.subject} {message.body}") for message in mail.outbox]
    assert mail.outbox
    for connection in connected:
        leaks.secrets += reveal_tokens(connection)
    assert leaks.find() == []


def both_are_synced() -> bool:
    # When Amazon refused a list twice, the next sync would come in five minutes.
    Connection.objects.filter(last_synced_at=None).update(next_sync_at=timezone.now())
    return Connection.objects.filter(last_synced_at__isnull=False).count() == 2


def test_only_the_answer_that_hands_out_a_token_has_one(leaks: Leaks, connected: list[Connection]) -> None:
    path = f"/api/v1/connections/{connected[0].pk}/access-token/"
    answer = Client().post(path, content_type="application/json", headers=leaks.headers)
    assert answer.status_code == HTTPStatus.OK, answer.content
    assert answer.json()["access_token"].startswith("Atza|")
    leaks.secrets += reveal_tokens(connected[0])
    assert leaks.find() == []


def test_rotating_the_encryption_keys_leaks_nothing(
    leaks: Leaks, connected: list[Connection], settings: LazySettings
) -> None:
    new_key = Fernet.generate_key().decode()
    keys = [new_key, *settings.TOKEN_ENCRYPTION_KEYS]
    leaks.secrets.append(new_key)
    leaks.run("rotate_encryption_keys", TOKEN_ENCRYPTION_KEYS=",".join(keys))
    settings.TOKEN_ENCRYPTION_KEYS = [new_key]
    for connection in connected:
        leaks.secrets += reveal_tokens(connection)
    assert leaks.find() == []
