"""Each operation refuses a person who lacks its permission, whatever interface called it."""

import ast
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.conf import LazySettings
from django.contrib.auth.models import AnonymousUser, Permission, User
from django.core.exceptions import PermissionDenied
from procrastinate.contrib.django.models import ProcrastinateJob

from accounts.batch import cancel_batch, retry_batch, start_batch
from accounts.models import Account, BatchItem, BatchOperation, SyncRun
from accounts.permissions import GROUPS
from accounts.sync import request_sync
from accounts.update import update_account
from amazon_accounts.amazon_ads.client import AmazonClient
from tests.accounts.conftest import AccountFactory
from tests.api_keys import new_key
from tokens.connect import oauth
from tokens.connect.disconnect import disconnect_connection
from tokens.connect.forget import forget_login
from tokens.connect.refresh_token import connect_with_refresh_token
from tokens.connect.update import update_connection
from tokens.models import ApiKey, AuditEntry, AuthorizationAttempt, Connection
from tokens.people.keys import end_api_keys, revoke_api_key
from tokens.permissions import SYSTEM, Actor, may, require
from tokens.refresh.hand_out import hand_out_access_tokens
from tokens.refresh.tasks import request_refresh


@dataclass(frozen=True)
class Scene:
    account: Account
    batch: BatchOperation
    disconnected: Connection

    @property
    def connection(self) -> Connection:
        return self.account.connection


def complete_authorization(user: User, _scene: Scene) -> None:
    state = "the state that Amazon sends back"
    AuthorizationAttempt.objects.create(
        state_digest=oauth._digest(state), session_digest=oauth._digest("session"), user=user
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
    "cancel_batch": ("accounts.sync_account", lambda user, scene: cancel_batch(user, scene.batch)),
    "retry_batch": ("accounts.sync_account", lambda user, scene: retry_batch(user, scene.batch)),
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
    "end_api_keys": (
        "tokens.delete_apikey",
        lambda user, scene: end_api_keys(user, scene.connection.owner),
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
ALL_PERMISSIONS = {name for names in GROUPS.values() for name in names}


def person_with(permissions: set[str]) -> User:
    user = User.objects.create_user("carol", is_staff=True)
    codenames = [name.partition(".")[2] for name in permissions]
    user.user_permissions.set(Permission.objects.filter(codename__in=codenames))
    return User.objects.get(pk=user.pk)


@pytest.fixture
def scene(db: None, new_account: AccountFactory) -> Scene:
    account = new_account(User.objects.create_user("owner"))
    # An item that waits can be cancelled, and an item that failed can be retried.
    waiting = new_account(account.user)
    batch = start_batch(SYSTEM, "sync", account_ids=[str(account.pk), str(waiting.pk)])
    BatchItem.objects.filter(batch=batch, account=account).update(state="failed")
    new_key(account.user)
    disconnected = new_account(User.objects.create_user("another")).connection
    disconnect_connection(SYSTEM, disconnected)
    return Scene(account, batch, disconnected)


def stored(scene: Scene) -> list[Any]:
    """Everything that the operations may write."""
    return [
        *Account.objects.filter(pk=scene.account.pk).values_list("labels", "status", "updated_at"),
        *Connection.objects.filter(pk=scene.connection.pk).values_list(
            "state", "grant_version", "label", "regions"
        ),
        *Connection.objects.filter(pk=scene.disconnected.pk).values_list("label", "forgotten_at"),
        *BatchOperation.objects.order_by("pk").values_list("pk", "state", "cancelled_at", "started_at"),
        *SyncRun.objects.values_list("pk", flat=True),
        *AuthorizationAttempt.objects.values_list("pk", flat=True),
        *AuditEntry.objects.filter(outcome="done").values_list("pk", flat=True),
        *ApiKey.objects.values_list("pk", flat=True),
        *ProcrastinateJob.objects.order_by("pk").values_list("pk", flat=True),
    ]


@pytest.mark.parametrize("name", OPERATIONS)
class TestOperation:
    def test_it_refuses_a_person_without_the_permission(self, scene: Scene, name: str) -> None:
        permission, operation = OPERATIONS[name]
        user = person_with(ALL_PERMISSIONS - {permission})
        before = stored(scene)
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
        operation(
            person_with({permission, "accounts.view_all_accounts", "tokens.view_all_connections"}), scene
        )
        assert stored(scene) != before


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("name", ASYNC_OPERATIONS)
class TestAsyncOperation:
    def test_it_refuses_a_person_without_the_permission(self, scene: Scene, name: str) -> None:
        with pytest.raises(PermissionDenied, match=r"tokens\.connect_amazon"):
            ASYNC_OPERATIONS[name](person_with(ALL_PERMISSIONS - {"tokens.connect_amazon"}), scene)
        assert not AuthorizationAttempt.objects.exclude(used_at=None).exists()


def test_every_operation_that_checks_a_permission_is_listed(settings: LazySettings) -> None:
    """An operation is a public function of accounts or tokens that calls `require` or `require_operation`."""
    found = set()
    for app in ("accounts", "tokens"):
        for file in (Path(settings.BASE_DIR) / app).rglob("*.py"):
            for function in ast.walk(ast.parse(file.read_text())):
                if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef) and _checks(function):
                    found.add(function.name)
    # `_update` is the inner half of update_account, `_store` of complete_authorization; require_operation is what batches
    # call.
    assert found - {"_update", "_store", "require_operation"} == (OPERATIONS.keys() | ASYNC_OPERATIONS) - {
        "update_account"
    }


def _checks(function: ast.AST) -> bool:
    names = {node.id for node in ast.walk(function) if isinstance(node, ast.Name)}
    return bool(names & {"require", "require_operation"})


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
