"""Every operation at every door writes exactly one entry of the audit trail for each team that it concerns.

Most operations concern one team. A move concerns two, and a batch all teams of its accounts. A new door must be added
to a table.
"""

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import pytest
from allauth.mfa.models import Authenticator
from django.conf import LazySettings
from django.contrib import admin
from django.contrib.auth.models import User
from django.core.management import call_command
from django.db import transaction
from django.db.models import Model
from django.db.models.functions import Now
from django.test import Client

from accounts.models import Account, BatchItem, BatchOperation, ConnectionBatchItem
from tests.accounts.access.audited_requests import OF_OPERATIONS, REQUESTS
from tests.accounts.access.somebody import Somebody
from tests.accounts.access.test_operations import (
    ASYNC_OPERATIONS,
    OPERATIONS,
    Scene,
    lowest_with,
    scene,
)
from tests.accounts.access.test_table import rows as requests
from tests.accounts.conftest import AccountFactory
from tests.api_keys import new_key
from tests.pictures import make_png
from tests.sandbox_fixtures import SandboxServer
from tokens.connect.disconnect import disconnect_connection
from tokens.models import ApiKey, AuditEntry, AuditLink, Connection, ConnectLink, Session, Team
from tokens.people.audit import Action
from tokens.people.logos import set_team_logo
from tokens.permissions import SYSTEM

__all__ = ["scene"]

# What a request changes is recorded by another request.
RECORDED_LATER: Final = {
    "POST c/<slug:token>/": "The return from Amazon says what came of it.",
    "POST connect/amazon/": "The return from Amazon says what came of it: complete_authorization below.",
}
NOT_RECORDED: Final = {
    "GET renewals/links.csv": "It leads to the page of renewals, and only POST makes links.",
    "GET connections/<uuid:connection_id>/availability.csv": "It has the figures of the page, and no name.",
}
HANDS_OUT: Final = ("export/", ".csv")
# The team that loses the connection, and the team that gets it.
OF_TWO_TEAMS: Final = {"connection.move"}


class Requests(Somebody):
    """An administrator whose objects are in the state that each request needs."""

    def prepare(self, name: str) -> None:
        # Makes the objects, which is recorded too.
        self.make_path(name.split()[1])
        if name.startswith("POST links/") and name.endswith("/send-again/"):
            ConnectLink.objects.update(email="ads@copperleaf.example")
        if name.endswith("/logo/remove/"):
            set_team_logo(SYSTEM, self.account.team, make_png())
        if name.startswith("PUT "):
            self.colleague.memberships.all().delete()
        if name.endswith("/retry/"):
            for items in (BatchItem.objects.all(), ConnectionBatchItem.objects.all()):
                items.update(state=BatchItem.State.FAILED)
        if name.endswith("/undo/"):
            BatchOperation.objects.update(operation="update", state="succeeded", finished_at=Now())
            BatchItem.objects.update(state="succeeded", labels_before={"season": None})
        if name.endswith("/resume/"):
            Connection.objects.update(paused=True)
        if name.endswith("/forget/"):
            disconnect_connection(SYSTEM, self.account.connection)
        assert self.user is not None
        if name.endswith("end-keys/"):
            new_key(self.user)


def count_entries(deed: Callable[[], object]) -> list[tuple[str, str]]:
    """Return the action and outcome of each entry that the deed writes."""
    before = set(AuditEntry.objects.values_list("pk", flat=True))
    deed()
    written = AuditEntry.objects.exclude(pk__in=before).order_by("pk")
    return [(entry.action, entry.outcome) for entry in written]


def get_entry(before: set[UUID], action: str) -> AuditEntry:
    """Return the one entry that was written since for each team; all say the same."""
    entries = list(AuditEntry.objects.exclude(pk__in=before).order_by("pk"))
    teams = [entry.team_id for entry in entries]
    assert len(teams) == len(set(teams)) == (2 if action in OF_TWO_TEAMS else 1)
    return entries[0]


@pytest.mark.parametrize("name", REQUESTS)
def test_a_request_writes_one_entry(db: None, new_account: AccountFactory, name: str) -> None:
    who = "superuser" if REQUESTS[name].startswith("team.") else "Administrator"
    somebody = Requests(who, new_account)
    somebody.prepare(name)
    method, address = name.split()
    before = set(AuditEntry.objects.values_list("pk", flat=True))
    outcome = "done"
    if name == "POST api/v1/connections/access-tokens/":
        # The connection of the table's body is not there.
        outcome = "refused"
    if name == "POST auth/sessions/end/":
        end_session_of(somebody)
    elif name == "POST operations/":
        start_operation_of(somebody)
    else:
        assert somebody.ask(method, address)[0] in "23"
    entry = get_entry(before, REQUESTS[name])
    assert (entry.action, entry.outcome) == (REQUESTS[name], outcome)
    assert somebody.user is not None
    assert (entry.actor_id, entry.actor_name) == (somebody.user.pk, who)
    assert entry.actor_kind == ("key" if address.startswith("api/") else "person")
    assert (entry.address, len(entry.request_id)) == ("127.0.0.1", 32)


def start_operation_of(somebody: Somebody) -> None:
    assert somebody.user is not None
    browser = Client()
    browser.force_login(somebody.user)
    form = {"operation": "sync", "all": "1", "query": "", "confirm": "1"}
    assert browser.post("/operations/", form).status_code == 303


def end_session_of(somebody: Somebody) -> None:
    assert somebody.user is not None
    browser, other = Client(), Client()
    for each in (browser, other):
        each.force_login(somebody.user)
    oldest = Session.objects.order_by("pk").first()
    assert oldest is not None
    assert other.post("/auth/sessions/end/", {"session": str(oldest.pk)}).status_code == 303


def test_every_request_that_changes_something_is_in_the_table() -> None:
    found = {
        f"{method} {address}"
        for method, address, _ in requests()
        if method != "GET" or address.endswith(HANDS_OUT)
    }
    assert found == REQUESTS.keys() | RECORDED_LATER.keys() | NOT_RECORDED.keys()


WITHOUT_ENTRY: Final = {
    "begin": "complete_authorization writes it when Amazon has answered.",
}


@pytest.mark.parametrize("name", OF_OPERATIONS)
def test_an_operation_writes_one_entry(scene: Scene, name: str) -> None:
    permission, operation = OPERATIONS[name]
    user = lowest_with(permission)
    action = OF_OPERATIONS[name]
    teams = 2 if action in OF_TWO_TEAMS else 1
    assert count_entries(lambda: operation(user, scene)) == [(action, "done")] * teams


def test_every_operation_is_in_the_table() -> None:
    assert OPERATIONS.keys() == OF_OPERATIONS.keys() | WITHOUT_ENTRY.keys()
    assert ASYNC_OPERATIONS.keys() == {"complete_authorization", "connect_with_refresh_token"}


@pytest.mark.django_db(transaction=True)
def test_an_answer_of_amazon_that_refuses_writes_one_entry(scene: Scene) -> None:
    user = lowest_with("tokens.connect_amazon")

    def come_back() -> None:
        with pytest.raises(Exception, match="You cancelled at Amazon"):
            ASYNC_OPERATIONS["complete_authorization"](user, scene)

    assert count_entries(come_back) == [("connection.connect", "refused")]


# What each command records. The other commands only read, or run the processes.
COMMANDS: Final[dict[str, str]] = {
    "api_token": "api_key.make",
    "batch": "batch.start",
    "changepassword": "password.change",
    "connect": "connection.connect",
    "connect_link": "connect_link.make",
    "createsuperuser": "person.make",
    "erase_person": "person.erase",
    "forget_login": "connection.forget",
    "move_connections": "connection.move",
    "refresh_tokens": "connection.refresh",
    "rotate_encryption_keys": "encryption_keys.rotate",
    "sync_accounts": "connection.sync",
    "team": "team.make",
}
WITHOUT_DEEDS: Final = {"migrate", "probe", "runscheduler", "runworker", "verify_audit", "version"}


def test_every_command_is_in_the_table(settings: LazySettings) -> None:
    found = {
        file.stem
        for app in ("accounts", "dashboard", "tokens")
        for file in (Path(settings.BASE_DIR) / app / "management" / "commands").glob("*.py")
        if file.stem != "__init__"
    }
    assert found == COMMANDS.keys() | WITHOUT_DEEDS


@pytest.fixture
def calls(
    transactional_db: None,
    new_account: AccountFactory,
    sandbox_server: SandboxServer,
    settings: LazySettings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> dict[str, Callable[[], object]]:
    """A call of each command that does something."""
    owner = User.objects.create_user("owner", is_staff=True)
    User.objects.create_superuser("root")
    account = new_account(owner)
    connection = Connection.objects.create(
        owner=owner,
        team=account.team,
        label="Login of alice",
        client_id=settings.AMAZON_CLIENT_ID,
        refresh_token=sandbox_server.sandbox.refresh_token("alice"),
    )
    ended = new_account(User.objects.create_user("another")).connection
    disconnect_connection(SYSTEM, ended)
    ids = tmp_path / "ids"
    ids.write_text(f"{account.pk}\n")
    monkeypatch.setenv("DJANGO_SUPERUSER_PASSWORD", "correct horse battery")
    monkeypatch.setattr("getpass.getpass", lambda **_: "correct horse battery")
    token = sandbox_server.sandbox.refresh_token("charlie")
    quiet: dict[str, Any] = {"stdout": io.StringIO(), "stderr": io.StringIO()}
    return {
        "api_token": lambda: call_command("api_token", "owner", **quiet),
        "batch": lambda: call_command("batch", "update", ids=str(ids), labels='{"team": "north"}', **quiet),
        "changepassword": lambda: call_command("changepassword", "owner", **quiet),
        "connect": lambda: call_command(
            "connect", owner="owner", label="New", stdin=io.StringIO(token), **quiet
        ),
        "connect_link": lambda: call_command(
            "connect_link", team=account.team.name, label="Copperleaf", **quiet
        ),
        "createsuperuser": lambda: call_command(
            "createsuperuser", username="new", email="", interactive=False, **quiet
        ),
        "erase_person": lambda: call_command("erase_person", "another", yes=True, **quiet),
        "forget_login": lambda: call_command("forget_login", str(ended.pk), **quiet),
        "move_connections": lambda: call_command(
            "move_connections", connection=[connection.pk], to="Main", **quiet
        ),
        "refresh_tokens": lambda: call_command("refresh_tokens", connection=[connection.pk], **quiet),
        "rotate_encryption_keys": lambda: call_command("rotate_encryption_keys", **quiet),
        "sync_accounts": lambda: call_command("sync_accounts", connection=[connection.pk], **quiet),
        "team": lambda: call_command("team", "North", **quiet),
    }


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_writes_one_entry(calls: dict[str, Callable[[], object]], name: str) -> None:
    before = set(AuditEntry.objects.values_list("pk", flat=True))
    calls[name]()
    entry = get_entry(before, COMMANDS[name])
    assert (entry.action, entry.outcome) == (COMMANDS[name], "done")
    assert (entry.actor_kind, entry.actor_name) == ("command", f"manage.py {name}")


# What people can do in the admin: forms by verb, and actions.
FORMS: Final[dict[str, str]] = {
    "auth.user add": "person.make",
    "auth.user change": "person.update",
    "auth.user delete": "person.delete",
    "auth.user password": "password.change",
    "auth.user erase": "person.erase",
    "auth.user end-keys": "api_key.end",
    "tokens.apikey delete": "api_key.end",
    "mfa.authenticator delete": "second_factor.remove",
}
CONNECTION_OPERATIONS: Final = [
    *("sync", "refresh", "pause", "resume", "disconnect", "move", "update_labels", "send_renewal_links")
]
ACTIONS: Final[dict[str, str]] = {
    "accounts.account sync": "batch.start",
    "accounts.account disconnect": "batch.start",
    "accounts.account reconnect": "batch.start",
    "accounts.account update_labels": "batch.start",
    **dict.fromkeys((f"tokens.connection {operation}" for operation in CONNECTION_OPERATIONS), "batch.start"),
    "tokens.session end": "session.end",
    "auth.user delete_selected": "person.delete",
    "tokens.apikey delete_selected": "api_key.end",
    "mfa.authenticator delete_selected": "second_factor.remove",
}
# It leads to the page that erases.
LEADS_ON: Final = {"auth.user erase"}


class Office:
    """A superuser in the admin, and one row of each model that can be changed there."""

    def __init__(self, new_account: AccountFactory) -> None:
        self.root = User.objects.create_superuser("root")
        self.person = User.objects.create_user("person", is_staff=True)
        self.account: Account = new_account(self.root)
        new_key(self.person)
        Authenticator.objects.create(user=self.person, type="webauthn", data={"name": "key"})
        Session.objects.create(key_digest="a" * 64, data="", user=self.person)
        self.browser = Client()
        self.browser.force_login(self.root)

    def row(self, label: str) -> Model:
        match label:
            case "auth.user":
                return self.person
            case "accounts.account":
                return self.account
            case "tokens.connection":
                return self.account.connection
            case "tokens.session":
                return Session.objects.get(user=self.person)
            case "tokens.apikey":
                return ApiKey.objects.get(user=self.person)
            case _:
                factor: Model = Authenticator.objects.get(user=self.person)
                return factor

    def leave_nothing_of_person(self) -> None:
        # The admin deletes nobody to whom something belongs that it does not delete.
        ApiKey.objects.filter(user=self.person).delete()
        Authenticator.objects.filter(user=self.person).delete()
        Session.objects.filter(user=self.person).delete()

    def fill(self, name: str) -> None:
        """Send the form, as it is but for one change."""
        label, verb = name.split()
        if name == "auth.user delete":
            self.leave_nothing_of_person()
        folder = f"/admin/{label.replace('.', '/')}/"
        address = f"{folder}add/" if verb == "add" else f"{folder}{self.row(label).pk}/{verb}/"
        form: dict[str, Any] = {
            "add": {
                "username": "new",
                "name": "new",
                "usable_password": "true",
                "password1": "correct horse",
                "password2": "correct horse",
            },
            "change": {
                "username": "renamed",
                "name": "renamed",
                "is_active": "on",
                "date_joined_0": "2026-11-01",
                "date_joined_1": "08:00:00",
            },
            "delete": {"post": "yes"},
            "password": {
                "usable_password": "true",
                "password1": "correct horse",
                "password2": "correct horse",
                "set-password": "1",
            },
        }.get(verb, {})
        response = self.browser.post(address, form)
        assert response.status_code in {302, 303}, response.content.decode()

    def act(self, name: str) -> None:
        label, action = name.split()
        if name == "auth.user delete_selected":
            self.leave_nothing_of_person()
        form = {
            "action": action,
            "_selected_action": [str(self.row(label).pk)],
            "apply": "1",
            "post": "yes",
            "set_labels": "team: north",
            "team": str(Team.objects.get(name="Main").pk),
        }
        response = self.browser.post(f"/admin/{label.replace('.', '/')}/", form)
        assert response.status_code in {302, 303}, response.content.decode()


@pytest.mark.parametrize("name", FORMS)
def test_a_form_of_the_admin_writes_one_entry(db: None, new_account: AccountFactory, name: str) -> None:
    office = Office(new_account)
    assert count_entries(lambda: office.fill(name)) == [(FORMS[name], "done")]


@pytest.mark.parametrize("name", ACTIONS)
def test_an_action_of_the_admin_writes_one_entry(
    db: None, new_account: AccountFactory, name: str, settings: LazySettings
) -> None:
    settings.EMAIL_IS_SET_UP = True
    office = Office(new_account)
    assert count_entries(lambda: office.act(name)) == [(ACTIONS[name], "done")]


def test_everything_that_the_admin_offers_is_in_the_tables(rf: Any, db: None) -> None:
    request = rf.get("/")
    request.user = User.objects.create_superuser("root")
    forms, actions = set(), set()
    for model, model_admin in admin.site._registry.items():
        label = model._meta.label_lower
        for verb in ("add", "change", "delete"):
            if getattr(model_admin, f"has_{verb}_permission")(request):
                forms.add(f"{label} {verb}")
        actions |= {f"{label} {action}" for action in model_admin.get_actions(request)}
    pages_of_a_person = {"auth.user password", "auth.user erase", "auth.user end-keys"}
    assert forms | pages_of_a_person == set(FORMS)
    assert actions == ACTIONS.keys() | LEADS_ON


def test_a_change_in_the_admin_says_what_was_before_and_after(db: None, new_account: AccountFactory) -> None:
    office = Office(new_account)
    office.fill("auth.user change")
    entry = AuditEntry.objects.latest("pk")
    assert entry.before == {"username": "person", "is_staff": True}
    assert entry.after == {
        "username": "renamed",
        "is_staff": False,
        "fields": ["date_joined", "is_staff", "username"],
    }


# tests/dashboard/sign_in/test_audit.py has what the pages under /auth/ write.
OF_SIGN_IN: Final = {
    "session.sign_in",
    "session.sign_out",
    "second_factor.add",
    "second_factor.rename",
    "second_factor.renew",
    "second_factor.remove",
    "single_sign_on.link",
    "single_sign_on.unlink",
    "password.change",
    "password.reset",
    "password.mail_reset",
    "invitation.accept",
}
OF_THE_CONSOLE: Final = {"connection.merge", "connection.reconnect"}


def test_every_action_is_in_a_table() -> None:
    tables = (REQUESTS, OF_OPERATIONS, COMMANDS, FORMS, ACTIONS)
    assert {each.value for each in Action} == {
        *(action for table in tables for action in table.values()),
        *OF_SIGN_IN,
        *OF_THE_CONSOLE,
    }


def test_what_is_rolled_back_leaves_no_entry(scene: Scene) -> None:
    batches = BatchOperation.objects.count()
    with pytest.raises(ValueError, match="the request fails later"):
        fail_after(lambda: OPERATIONS["start_batch"][1](User.objects.create_superuser("root"), scene))
    assert BatchOperation.objects.count() == batches
    assert not AuditEntry.objects.filter(actor_name="root").exists()
    assert not AuditLink.objects.exclude(entry_id__in=AuditEntry.objects.values("pk")).exists()


def fail_after(deed: Callable[[], object]) -> None:
    with transaction.atomic():
        deed()
        raise ValueError("the request fails later")
