"""Runs everything, then searches the whole database and all output for the real secrets."""

import logging
import re
from collections.abc import Iterator
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

import pytest
from cryptography.fernet import Fernet
from django.apps import apps
from django.conf import LazySettings
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.core import mail
from django.db import connection as database
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from knox.models import AuthToken

from tests.processes import eventually, run, running
from tests.sandbox_fixtures import SandboxServer
from tokens.alerts import delivery
from tokens.connect import oauth
from tokens.models import Connection

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

TOKEN = re.compile(r"Atz[ar](\||%7C|\\u007c)", re.IGNORECASE)
PAGES = ["/", "/accounts/", "/connections/", "/operations/", "/admin/"]
API = ["accounts/", "connections/", "accounts/health/", "accounts/sync-runs/", "accounts/changes/"]


@pytest.fixture
def boss(transactional_db: None) -> User:
    return User.objects.create_superuser("boss", "boss@example.test", "boss-password")


def everything_stored() -> Iterator[tuple[str, str]]:
    with database.cursor() as cursor:
        for table in database.introspection.table_names(cursor):
            cursor.execute(f'SELECT stored::text FROM "{table}" AS stored')  # noqa: S608  our own tables
            yield table, "\n".join(text for (text,) in cursor.fetchall())
    for session in Session.objects.all():
        yield "a session", str(session.get_decoded())


def everything_shown(browser: Client, headers: dict[str, str]) -> Iterator[tuple[str, str]]:
    connections = [str(pk) for pk in Connection.objects.values_list("pk", flat=True)]
    pages = [*PAGES, *(f"/connections/{pk}/" for pk in connections)]
    for model in apps.get_app_config("tokens").get_models():
        name = f"{model._meta.app_label}_{model._meta.model_name}"
        pages.append(reverse(f"admin:{name}_changelist"))
        first = model._default_manager.first()
        if first is not None:
            pages.append(reverse(f"admin:{name}_change", args=[first.pk]))
    for page in pages:
        yield page, browser.get(page, follow=True).content.decode()
    for path in [*API, *(f"connections/{pk}/{part}" for pk in connections for part in ("", "refreshes/"))]:
        yield path, Client().get(f"/api/v1/{path}", headers=headers).content.decode()


def test_no_secret_is_stored_or_shown(
    boss: User,
    client: Client,
    sandbox_server: SandboxServer,
    settings: LazySettings,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    sandbox = sandbox_server.sandbox
    settings.AMAZON_BACKOFF_BASE_SECONDS = 0.01
    quick = {"AMAZON_BACKOFF_BASE_SECONDS": "0.01", "TOKEN_REFRESH_CHECK_SECONDS": "2"}
    outputs: list[tuple[str, str]] = []

    def commanded(*arguments: str, stdin: str = "", **extra: str) -> None:
        result = run(*arguments, stdin=stdin, **{**quick, **extra})
        outputs.append((" ".join(arguments), result.stdout + result.stderr))

    # Connect in the browser: once well, once cancelled, once with Amazon repeating our secrets in its refusal.
    client.force_login(boss)
    codes, states = [], []
    for decision in ("allow", "cancel"):
        address = client.get("/connect/amazon/")["Location"]
        states.append(parse_qs(urlsplit(address).query)["state"][0])
        back = sandbox.consent(address, "bob", decision)
        codes += parse_qs(urlsplit(back).query).get("code", [])
        client.get(back)
    address = client.get("/connect/amazon/")["Location"]
    states.append(parse_qs(urlsplit(address).query)["state"][0])
    back = sandbox.consent(address, "bob")
    codes += parse_qs(urlsplit(back).query)["code"]
    echo = f"{codes[-1]} {settings.AMAZON_CLIENT_SECRET}"
    fault = sandbox.faults.add("lwa_error", path="/auth/o2/token", description=echo)
    client.get(back)
    sandbox.faults.remove(fault.name)

    # By command: well, refused while Amazon repeats the token, and with the wrong secret.
    given = sandbox.refresh_token("alice")
    commanded("connect", "--owner", "boss", "--label", "By command", stdin=given)
    refused = sandbox.refresh_token("charlie")
    fault = sandbox.faults.add("lwa_error", path="/auth/o2/token", description=f"{refused} {quote(refused)}")
    commanded("connect", "--owner", "boss", "--label", "Refused", stdin=refused)
    sandbox.faults.remove(fault.name)
    commanded("refresh_tokens", "--all", AMAZON_CLIENT_SECRET="wrong-but-secret")
    commanded("refresh_tokens", "--all")
    assert Connection.objects.count() == 2

    # Worker and scheduler: syncs with tokens that Amazon rejects, faults of every kind, a login that breaks.
    sandbox.faults.add("end_token", area="api", every=5)
    sandbox.faults.add("error_500", path="/auth/o2/token", every=3)
    Connection.objects.update(next_refresh_at=timezone.now())
    with (
        running("runworker", log=tmp_path / "worker.log", **quick) as worker,
        running("runscheduler", log=tmp_path / "scheduler.log", **quick) as scheduler,
    ):
        eventually(lambda: Connection.objects.filter(last_synced_at__isnull=False).count() == 2, 40)
        sandbox.revoke("bob")
        Connection.objects.filter(state="active").update(next_refresh_at=timezone.now())
        eventually(lambda: Connection.objects.filter(state="reauthorization_required").exists(), 30)
        commanded("sync_accounts", "--json")
        scheduler.terminate()
        worker.terminate()
        outputs += [("worker", worker.output()), ("scheduler", scheduler.output())]
    delivery.send_due_alerts()
    outputs += [("a mail", f"{message.subject} {message.body}") for message in mail.outbox]
    assert mail.outbox

    # Other services get a token, and it is the only answer that has one.
    _, api_token = AuthToken.objects.create(boss)
    headers = {"Authorization": f"Token {api_token}"}
    alive = Connection.objects.get(state="active")
    path = f"/api/v1/connections/{alive.pk}/access-token/"
    answer = Client().post(path, content_type="application/json", headers=headers)
    assert answer.status_code == HTTPStatus.OK, answer.content
    assert answer.json()["access_token"].startswith("Atza|")

    new_key = Fernet.generate_key().decode()
    all_keys = ",".join([new_key, *settings.TOKEN_ENCRYPTION_KEYS])
    commanded("rotate_encryption_keys", TOKEN_ENCRYPTION_KEYS=all_keys)
    settings.TOKEN_ENCRYPTION_KEYS = all_keys.split(",")

    outputs.append(("the log", caplog.text))
    outputs += everything_shown(client, headers)
    outputs += everything_stored()
    secrets = [
        *codes,
        *states,
        *(oauth._code_verifier(state) for state in states),
        *settings.TOKEN_ENCRYPTION_KEYS,
        settings.SECRET_KEY,
        settings.AMAZON_CLIENT_SECRET,
        "wrong-but-secret",
        api_token,
        *(plain(alive)),
        given.removeprefix("Atzr|"),
        refused.removeprefix("Atzr|"),
    ]
    leaks = [
        (where, secret[:6])
        for where, text in outputs
        for secret in secrets
        if secret in text or quote(secret, safe="") in text
    ]
    assert leaks == []
    assert [where for where, text in outputs if TOKEN.search(text)] == []


def plain(connection: Connection) -> list[Any]:
    connection.refresh_from_db()
    return [
        secret.reveal().split("|")[1]
        for secret in (connection.access_token, connection.refresh_token)
        if secret is not None
    ]
