"""Each operation refuses a person who lacks its permission, whatever interface called it."""

import ast
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from asgiref.sync import async_to_sync
from django.conf import LazySettings
from django.contrib.auth.models import AnonymousUser, User
from django.core.exceptions import PermissionDenied
from django.db.models import F
from django.db.models.functions import Now
from procrastinate.contrib.django.models import ProcrastinateJob

from accounts.batch import cancel_batch, retry_batch, start_batch, start_batch_of, undo_batch
from accounts.batch.rows import CONNECTIONS
from accounts.models import Account, BatchItem, BatchOperation, Note, SyncRun
from accounts.notes import add_note, delete_note
from accounts.sync import request_sync
from accounts.update import update_account
from amazon_accounts.amazon_ads.client import AmazonClient
from tests.accounts.conftest import AccountFactory
from tests.api_keys import new_key
from tests.pictures import make_png
from tests.teams import join
from tokens.alerts.addresses import add_alert_address, remove_alert_address
from tokens.connect import oauth
from tokens.connect.consent_dates import enter_consent_dates
from tokens.connect.disconnect import disconnect_connection
from tokens.connect.forget import forget_login
from tokens.connect.links import make_connect_link, revoke_connect_link, send_connect_link_again
from tokens.connect.move import move_connection
from tokens.connect.refresh_token import connect_with_refresh_token
from tokens.connect.reminders import switch_reminders
from tokens.connect.renewals import make_renewal_links, send_renewal_link
from tokens.connect.update import update_connection
from tokens.models import (
    AlertAddress,
    ApiKey,
    AuditEntry,
    AuthorizationAttempt,
    Connection,
    ConnectLink,
    Invitation,
    Membership,
    SavedView,
    Team,
    TeamLogo,
    Webhook,
    WebhookDelivery,
)
from tokens.people.invitations import MIN_PAUSE, invite, revoke_invitation, send_invitation_again
from tokens.people.keys import end_api_keys, make_team_key, revoke_api_key
from tokens.people.logos import remove_team_logo, set_team_logo
from tokens.people.roles import PERMISSIONS, Role
from tokens.people.saved_views import change_view, remove_view, save_view
from tokens.people.teams import remove_member, set_member
from tokens.permissions import SYSTEM, Actor, may, require
from tokens.refresh.hand_out import hand_out_access_tokens
from tokens.refresh.tasks import request_refresh
from tokens.webhooks.manage import (
    MANAGE,
    delete_webhook,
    make_webhook,
    redeliver,
    rotate_secret,
    send_test,
    update_webhook,
)


@dataclass(frozen=True)
class Scene:
    account: Account
    batch: BatchOperation
    labelled: BatchOperation
    disconnected: Connection

    @property
    def connection(self) -> Connection:
        return self.account.connection


def write_note(user: Any, scene: Scene) -> Note:
    author = user if isinstance(user, User) else None
    return Note.objects.create(account=scene.account, author=author, text="Ask Ana.")


def complete_authorization(user: User, _scene: Scene) -> None:
    state = "the state that Amazon sends back"
    AuthorizationAttempt.objects.create(
        state_digest=oauth.digest(state), session_digest=oauth.digest("session"), user=user
    )

    async def answer() -> None:
        async with AmazonClient() as amazon:
            await oauth.complete_authorization(
                user, "session", {"state": state, "error": "access_denied"}, amazon
            )

    async_to_sync(answer)()


def connect_by_token(user: User, scene: Scene) -> None:
    async def answer() -> None:
        async with AmazonClient() as amazon:
            await connect_with_refresh_token(
                user,
                scene.connection.team,
                user,
                "Login",
                "Atzr|x",
                regions=[],
                consented_at=None,
                amazon=amazon,
            )

    async_to_sync(answer)()


WEBHOOK_URL = "https://hooks.example.com/amazon"


def send_link_again(user: User, _scene: Scene) -> object:
    link = ConnectLink.objects.get()
    link.email = "ads@copperleaf.example"
    return send_connect_link_again(user, link)


OPERATIONS: dict[str, tuple[str, Callable[[Any, Scene], object]]] = {
    "request_sync": (
        "accounts.sync_account",
        lambda user, scene: request_sync(user, scene.connection, trigger=SyncRun.Trigger.API),
    ),
    "update_account": (
        "accounts.update_account",
        lambda user, scene: update_account(user, scene.account.pk, {"labels": {"a": "b"}}),
    ),
    "start_batch": (
        "accounts.disconnect_account",
        lambda user, scene: start_batch(user, "disconnect", account_ids=[scene.account.pk]),
    ),
    "start_batch_of": (
        "tokens.disconnect_connection",
        lambda user, scene: start_batch_of(CONNECTIONS, user, "disconnect", ids=[scene.connection.pk]),
    ),
    "cancel_batch": ("accounts.sync_account", lambda user, scene: cancel_batch(user, scene.batch)),
    "retry_batch": ("accounts.sync_account", lambda user, scene: retry_batch(user, scene.batch)),
    "undo_batch": ("accounts.update_account", lambda user, scene: undo_batch(user, scene.labelled)),
    "request_refresh": (
        "tokens.refresh_connection",
        lambda user, scene: request_refresh(user, scene.connection),
    ),
    "update_connection": (
        "tokens.connect_amazon",
        lambda user, scene: update_connection(user, scene.connection, {"regions": ["EU"]}),
    ),
    "disconnect_connection": (
        "tokens.disconnect_connection",
        lambda user, scene: disconnect_connection(user, scene.connection),
    ),
    "move_connection": (
        "tokens.move_connection",
        lambda user, scene: move_connection(user, scene.connection, Team.objects.get(name="Other")),
    ),
    "forget_login": (
        "tokens.disconnect_connection",
        lambda user, scene: forget_login(user, scene.disconnected),
    ),
    "hand_out_access_tokens": (
        "tokens.use_access_token",
        lambda user, scene: hand_out_access_tokens(user, [scene.connection.pk]),
    ),
    "revoke_api_key": (
        "tokens.delete_apikey",
        lambda user, scene: revoke_api_key(user, ApiKey.objects.get()),
    ),
    "make_team_key": (
        "tokens.manage_keys",
        lambda user, scene: make_team_key(user, scene.connection.team, name="Service", role="viewer"),
    ),
    "end_api_keys": (
        "tokens.delete_apikey",
        lambda user, scene: end_api_keys(user, scene.connection.owner),
    ),
    "set_member": (
        "tokens.manage_members",
        lambda user, scene: set_member(user, scene.connection.team, scene.account.user, "operator"),
    ),
    "remove_member": (
        "tokens.manage_members",
        lambda user, scene: remove_member(user, scene.connection.team, scene.account.user),
    ),
    "invite": (
        "tokens.manage_members",
        lambda user, scene: invite(user, scene.connection.team, "new@example.com", "viewer"),
    ),
    "send_invitation_again": (
        "tokens.manage_members",
        lambda user, scene: send_invitation_again(user, Invitation.objects.get()),
    ),
    "revoke_invitation": (
        "tokens.manage_members",
        lambda user, scene: revoke_invitation(user, Invitation.objects.get()),
    ),
    "add_note": (
        "accounts.update_account",
        lambda user, scene: add_note(user, scene.account, "Ask Ana."),
    ),
    "delete_note": (
        "accounts.update_account",
        lambda user, scene: delete_note(user, write_note(user, scene)),
    ),
    "make_connect_link": (
        "tokens.connect_amazon",
        lambda user, scene: make_connect_link(user, scene.connection.team, label="Copperleaf"),
    ),
    "revoke_connect_link": (
        "tokens.connect_amazon",
        lambda user, _: revoke_connect_link(user, ConnectLink.objects.get()),
    ),
    "send_connect_link_again": ("tokens.connect_amazon", send_link_again),
    "send_renewal_link": (
        "tokens.connect_amazon",
        lambda user, scene: send_renewal_link(user, scene.connection, uuid4()),
    ),
    "make_renewal_links": (
        "tokens.connect_amazon",
        lambda user, scene: make_renewal_links(user, [scene.connection]),
    ),
    "enter_consent_dates": (
        "tokens.connect_amazon",
        lambda user, scene: enter_consent_dates(
            user, f"id,consented_on\n{scene.connection.pk},2026-08-01\n".encode()
        ),
    ),
    "switch_reminders": (
        "tokens.manage_members",
        lambda user, scene: switch_reminders(user, scene.connection.team, on=False),
    ),
    "save_view": (
        "accounts.update_account",
        lambda user, scene: save_view(user, name="Peak", query="country=DE", team=scene.connection.team),
    ),
    "change_view": (
        "accounts.update_account",
        lambda user, _: change_view(user, SavedView.objects.get(), name="Quiet"),
    ),
    "remove_view": (
        "accounts.update_account",
        lambda user, _: remove_view(user, SavedView.objects.get()),
    ),
    "set_team_logo": (
        "tokens.change_teamlogo",
        lambda user, scene: set_team_logo(user, scene.connection.team, make_png()),
    ),
    "remove_team_logo": (
        "tokens.change_teamlogo",
        lambda user, scene: remove_team_logo(user, scene.connection.team),
    ),
    "make_webhook": (
        MANAGE,
        lambda user, scene: make_webhook(user, scene.connection.team, url=WEBHOOK_URL, events=["*"]),
    ),
    "update_webhook": (
        MANAGE,
        lambda user, _: update_webhook(user, Webhook.objects.get(), events=["sync.ended"]),
    ),
    "delete_webhook": (MANAGE, lambda user, _: delete_webhook(user, Webhook.objects.get())),
    "rotate_secret": (MANAGE, lambda user, _: rotate_secret(user, Webhook.objects.get())),
    "send_test": (MANAGE, lambda user, _: send_test(user, Webhook.objects.get())),
    "redeliver": (MANAGE, lambda user, _: redeliver(user, WebhookDelivery.objects.get())),
    "add_alert_address": (
        "tokens.manage_alert_addresses",
        lambda user, scene: add_alert_address(
            user,
            scene.connection.team,
            name="New",
            address="slack://T1234ABCD/B1234ABCD/abcdefghijklmnopqrstuvwx",
        ),
    ),
    "remove_alert_address": (
        "tokens.manage_alert_addresses",
        lambda user, scene: remove_alert_address(user, AlertAddress.objects.get()),
    ),
    "begin": (
        "tokens.connect_amazon",
        lambda user, scene: oauth.begin(user, "session", team=scene.connection.team),
    ),
}
# They reach the database from another thread, so each needs a test with transactions of its own.
ASYNC_OPERATIONS: dict[str, Callable[[User, Scene], None]] = {
    "complete_authorization": complete_authorization,
    "connect_with_refresh_token": connect_by_token,
}


def someone(role: Role | None, *, elsewhere: Role | None = None) -> User:
    """Make a person with this role in the teams of the scene, and perhaps a role in another team."""
    user = User.objects.create_user("carol", is_staff=True)
    if role is not None:
        join(user, "Team of owner", role)
        join(user, "Team of another", role)
        join(user, "Other", role)
    if elsewhere:
        join(user, "Elsewhere", elsewhere)
    return user


def highest_without(permission: str) -> Role | None:
    """Return the highest role that does not allow this."""
    return next((role for role in reversed(Role) if permission not in PERMISSIONS[role]), None)


def lowest_with(permission: str) -> User:
    role = next((role for role in Role if permission in PERMISSIONS[role]), None)
    return someone(role) if role else User.objects.create_superuser("carol")


@pytest.fixture
def scene(db: None, new_account: AccountFactory) -> Scene:
    account = new_account(User.objects.create_user("owner"))
    # An item that waits can be cancelled, and an item that failed can be retried.
    waiting = new_account(account.user)
    batch = start_batch(SYSTEM, "sync", account_ids=[str(account.pk), str(waiting.pk)])
    BatchItem.objects.filter(batch=batch, account=account).update(state="failed")
    labelled = BatchOperation.objects.create(
        operation="update", state="succeeded", team_ids=batch.team_ids, total=1, finished_at=Now()
    )
    BatchItem.objects.create(
        batch=labelled, account=account, state="succeeded", labels_before={"season": None}
    )
    new_key(account.user)
    invite(SYSTEM, account.team, "nina@example.com", "viewer")
    # Its mail may be sent again.
    Invitation.objects.update(ends_at=F("ends_at") - MIN_PAUSE)
    make_connect_link(SYSTEM, account.team, label="Copperleaf", owner=account.user)
    Connection.objects.filter(pk=account.connection_id).update(contact_email="ads@copperleaf.example")
    AlertAddress.objects.create(team=account.team, name="Channel", service="Slack", address="x")
    disconnected = new_account(User.objects.create_user("another")).connection
    disconnect_connection(SYSTEM, disconnected)
    Team.objects.get_or_create(name="Other")
    TeamLogo.objects.create(team=account.team, png=b"x")
    SavedView.objects.create(team=account.team, name="Season")
    webhook, _ = make_webhook(SYSTEM, account.team, url=WEBHOOK_URL, events=["*"])
    send_test(SYSTEM, webhook)
    WebhookDelivery.objects.update(state="delivered", next_try_at=None)
    return Scene(account, batch, labelled, disconnected)


def stored(scene: Scene) -> list[Any]:
    """Everything that the operations may write."""
    return [
        *Account.objects.filter(pk=scene.account.pk).values_list("labels", "status", "updated_at"),
        *Connection.objects.filter(pk=scene.connection.pk).values_list(
            "state", "grant_version", "label", "regions", "team"
        ),
        *Connection.objects.filter(pk=scene.disconnected.pk).values_list("label", "forgotten_at"),
        *BatchOperation.objects.order_by("pk").values_list("pk", "state", "cancelled_at", "started_at"),
        *SyncRun.objects.values_list("pk", flat=True),
        *Membership.objects.order_by("pk").values_list("pk", "role"),
        *AlertAddress.objects.order_by("pk").values_list("pk"),
        *TeamLogo.objects.order_by("pk").values_list("pk"),
        *SavedView.objects.order_by("pk").values_list("pk", "query"),
        *Invitation.objects.order_by("pk").values_list("pk", "ends_at"),
        *AuthorizationAttempt.objects.values_list("pk", flat=True),
        *ConnectLink.objects.order_by("pk").values_list("pk", "revoked_at"),
        *AuditEntry.objects.filter(outcome="done").values_list("pk", flat=True),
        *ApiKey.objects.values_list("pk", flat=True),
        *ProcrastinateJob.objects.order_by("pk").values_list("pk", flat=True),
    ]


@pytest.mark.parametrize("name", OPERATIONS)
class TestOperation:
    def test_it_refuses_a_person_without_the_permission(self, scene: Scene, name: str) -> None:
        permission, operation = OPERATIONS[name]
        user = someone(highest_without(permission))
        before = stored(scene)
        with pytest.raises(PermissionDenied, match=permission):
            operation(user, scene)
        assert stored(scene) == before

    def test_a_role_in_another_team_does_not_count(self, scene: Scene, name: str) -> None:
        permission, operation = OPERATIONS[name]
        user = someone(highest_without(permission), elsewhere=Role.ADMINISTRATOR)
        before = stored(scene)
        if name in {"start_batch", "start_batch_of", "hand_out_access_tokens"}:
            pytest.skip("It has an answer for each account or connection: see below.")
        with pytest.raises(PermissionDenied, match=permission):
            operation(user, scene)
        assert stored(scene) == before

    def test_it_refuses_somebody_who_is_not_signed_in(self, scene: Scene, name: str) -> None:
        before = stored(scene)
        with pytest.raises((PermissionDenied, Account.DoesNotExist)):
            OPERATIONS[name][1](AnonymousUser(), scene)
        assert stored(scene) == before

    def test_it_serves_a_person_with_the_permission(self, scene: Scene, name: str) -> None:
        permission, operation = OPERATIONS[name]
        before = stored(scene)
        operation(lowest_with(permission), scene)
        assert stored(scene) != before


def test_a_batch_skips_accounts_of_teams_where_the_person_may_not(
    scene: Scene, new_account: AccountFactory
) -> None:
    user = someone(Role.VIEWER, elsewhere=Role.OPERATOR)
    own = new_account(User.objects.create_user("dora"))
    join(user, own.team.name, Role.OPERATOR)
    batch = start_batch(user, "disconnect", account_ids=[own.pk, scene.account.pk])
    items = dict(BatchItem.objects.filter(batch=batch).values_list("account_id", "state"))
    assert items == {own.pk: "waiting", scene.account.pk: "skipped"}
    skipped = BatchItem.objects.get(batch=batch, account=scene.account)
    assert skipped.message == "You may not do this in the team of the account."
    assert set(batch.team_ids) == {own.team_id, scene.account.team_id}


def test_a_batch_of_which_every_account_is_skipped_ends_at_once(scene: Scene) -> None:
    user = someone(Role.VIEWER, elsewhere=Role.OPERATOR)
    batch = start_batch(user, "disconnect", account_ids=[scene.account.pk])
    assert (batch.state, batch.skipped, batch.is_finished) == ("succeeded", 1, True)


def test_no_token_is_handed_out_in_a_team_where_the_person_may_not(scene: Scene) -> None:
    user = someone(Role.VIEWER, elsewhere=Role.ADMINISTRATOR)
    answers = hand_out_access_tokens(user, [scene.connection.pk])
    assert isinstance(answers[scene.connection.pk], Connection.DoesNotExist)


def test_a_retry_leaves_accounts_of_a_team_that_the_person_has_left(
    scene: Scene, new_account: AccountFactory
) -> None:
    user = someone(Role.OPERATOR, elsewhere=Role.OPERATOR)
    batch = start_batch(user, "disconnect", account_ids=[scene.account.pk])
    BatchItem.objects.filter(batch=batch).update(state="failed")
    Membership.objects.filter(user=user).exclude(team__name="Elsewhere").delete()
    with pytest.raises(PermissionDenied):
        retry_batch(User.objects.get(pk=user.pk), batch)
    assert BatchItem.objects.get(batch=batch).state == "failed"


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("name", ASYNC_OPERATIONS)
class TestAsyncOperation:
    def test_it_refuses_a_person_without_the_permission(self, scene: Scene, name: str) -> None:
        with pytest.raises(PermissionDenied, match=r"tokens\.connect_amazon"):
            ASYNC_OPERATIONS[name](someone(Role.VIEWER), scene)
        assert not AuthorizationAttempt.objects.exclude(used_at=None).exists()


def test_every_operation_that_checks_a_permission_is_listed(settings: LazySettings) -> None:
    """An operation is a public function of accounts or tokens that calls `require` or one of its relatives."""
    found = set()
    for app in ("accounts", "tokens"):
        for file in (Path(settings.BASE_DIR) / app).rglob("*.py"):
            for function in ast.walk(ast.parse(file.read_text())):
                if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef) and _checks(function):
                    found.add(function.name)
    # `_update` is the inner half of update_account, `_store` of complete_authorization, and hand_out_access_tokens is that
    # of hand_out_access_token. Two are what batches call, and three are methods of the API that hide names of people and teams.
    inner = {"_update", "_store", "hand_out_access_token", "lock_connection"}
    assert found - inner - {"require_operation", "require_to_steer", "post", "put", "delete"} == (
        OPERATIONS.keys() | ASYNC_OPERATIONS
    ) - {"update_account", "start_batch"}


def _checks(function: ast.AST) -> bool:
    names = {node.id for node in ast.walk(function) if isinstance(node, ast.Name)}
    return bool(names & {"require", "require_operation", "require_to_steer"})


class TestMay:
    @pytest.mark.parametrize("user", [AnonymousUser(), User(is_active=False, is_superuser=True)])
    def test_a_person_who_is_not_signed_in_may_do_nothing(self, user: Actor) -> None:
        assert not may(user, "accounts.sync_account")
        with pytest.raises(PermissionDenied, match=r"^accounts\.sync_account$"):
            require(user, "accounts.sync_account")

    @pytest.mark.parametrize("user", [SYSTEM, User(is_active=True, is_superuser=True)])
    def test_the_system_and_a_superuser_may_do_everything(self, user: Actor) -> None:
        assert may(user, "accounts.sync_account")
        require(user, "accounts.sync_account")
