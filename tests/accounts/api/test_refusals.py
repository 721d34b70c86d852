"""Refusals of requests about one object: unknown ids, other people's objects, bodies, wrong methods and states."""

from collections.abc import Callable
from uuid import uuid4

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from rest_framework.test import APIClient

from accounts.batch import cancel_batch, start_batch
from accounts.models import Account, BatchItem, SyncRun
from tests.accounts.batch.batches import run_to_end
from tests.accounts.conftest import AccountFactory, ClientFactory
from tests.teams import set_role
from tokens.models import AuditEntry, Connection
from tokens.people.roles import Role

ROOT = "/api/v1/"
READS = [
    "accounts/{account}/",
    "accounts/{account}/changes/",
    "accounts/batch/{batch}/",
    "accounts/batch/{batch}/items/",
    "connections/{connection}/",
    "connections/{connection}/refreshes/",
]
ACTIONS = [
    "accounts/batch/{batch}/cancel/",
    "accounts/batch/{batch}/retry/",
    "accounts/batch/{batch}/undo/",
    "connections/{connection}/access-token/",
    "connections/{connection}/disconnect/",
    "connections/{connection}/refresh/",
    "connections/{connection}/sync/",
]
Address = Callable[[str], str]


@pytest.fixture
def account(alice: User, new_account: AccountFactory) -> Account:
    return new_account(alice)


@pytest.fixture
def address(alice: User, account: Account) -> Address:
    batch = start_batch(alice, "sync", filters={})
    ids = {"account": account.pk, "batch": batch.pk, "connection": account.connection_id}
    return lambda template: ROOT + template.format(**ids)


@pytest.fixture
def manager(alice: User, client_of: ClientFactory) -> APIClient:
    """Speaks as Alice with the role of an administrator."""
    return client_of(set_role(alice, Role.ADMINISTRATOR))


@pytest.fixture
def other_manager(bob: User, client_of: ClientFactory) -> APIClient:
    """Speaks as Bob, who may do everything in his own team and sees no others."""
    return client_of(set_role(bob, Role.ADMINISTRATOR))


@pytest.mark.parametrize("template", READS)
def test_an_object_of_another_person_is_not_found(
    other_manager: APIClient, address: Address, template: str
) -> None:
    response = other_manager.get(address(template))
    assert response.status_code == 404
    assert response.json()["detail"] == "There is nothing at this address, or it belongs to somebody else."


@pytest.mark.parametrize("template", ACTIONS)
def test_nobody_acts_on_an_object_of_another_person(
    other_manager: APIClient, address: Address, template: str
) -> None:
    assert other_manager.post(address(template)).status_code == 404
    assert not AuditEntry.objects.filter(action="access_token.hand_out", outcome="done").exists()
    assert Connection.objects.get().state == "active"
    assert not BatchItem.objects.exclude(state="waiting").exists()


def test_nobody_changes_an_account_of_another_person(other_manager: APIClient, address: Address) -> None:
    change = {"labels": {"a": "b"}, "sync_enabled": False}
    response = other_manager.patch(address("accounts/{account}/"), change, format="json")
    assert response.status_code == 404
    account = Account.objects.get()
    assert (account.labels, account.sync_enabled) == ({}, True)


@pytest.mark.parametrize("template", READS)
def test_an_unknown_id_is_not_found(manager: APIClient, template: str) -> None:
    ids = dict.fromkeys(("account", "batch", "connection"), uuid4())
    assert manager.get(ROOT + template.format(**ids)).status_code == 404


@pytest.mark.parametrize("template", ACTIONS)
def test_an_action_on_an_unknown_id_is_not_found(manager: APIClient, template: str) -> None:
    ids = dict.fromkeys(("account", "batch", "connection"), uuid4())
    assert manager.post(ROOT + template.format(**ids)).status_code == 404


@pytest.mark.parametrize("template", [*READS, *ACTIONS])
@pytest.mark.parametrize("bad", ["1", "x", "00000000-0000-0000-0000-00000000000g", "%00"])
def test_what_is_no_id_is_not_an_address(manager: APIClient, template: str, bad: str) -> None:
    ids = dict.fromkeys(("account", "batch", "connection"), bad)
    address = ROOT + template.format(**ids)
    assert manager.get(address).status_code == manager.post(address).status_code == 404


@pytest.mark.parametrize("template", ACTIONS)
@pytest.mark.parametrize("body", [{"force": True}, [1], "now", 1])
def test_an_action_refuses_a_body(manager: APIClient, address: Address, template: str, body: object) -> None:
    response = manager.post(address(template), body, format="json")
    assert response.status_code == 400
    assert response.json()["detail"] == "This takes no body."
    assert not SyncRun.objects.exists()
    assert Connection.objects.get().state == "active"


@pytest.mark.parametrize("template", ACTIONS)
@pytest.mark.parametrize("method", ["get", "put", "patch", "delete"])
def test_an_action_is_a_post(manager: APIClient, address: Address, template: str, method: str) -> None:
    response = getattr(manager, method)(address(template))
    assert response.status_code == 405
    assert response["Allow"] == "POST, OPTIONS"


@pytest.mark.parametrize("template", [*READS, *ACTIONS])
def test_a_request_without_a_login_is_refused(address: Address, template: str) -> None:
    client = APIClient()
    for method in ("get", "post"):
        response = getattr(client, method)(address(template))
        assert response.status_code in {401, 405}
    assert client.get(address(READS[0])).status_code == 401


@pytest.mark.parametrize("operation", ["refresh", "sync", "access-token"])
def test_a_login_that_amazon_refuses_is_a_conflict(
    manager: APIClient, address: Address, operation: str
) -> None:
    Connection.objects.update(state="reauthorization_required")
    response = manager.post(address(f"connections/{{connection}}/{operation}/"))
    assert response.status_code == 409
    assert response["Content-Type"] == "application/problem+json"
    assert "must be reconnected" in response.json()["detail"]
    assert not SyncRun.objects.exists()


@pytest.mark.parametrize("operation", ["refresh", "sync", "access-token"])
def test_a_disconnected_connection_is_a_conflict(
    manager: APIClient, address: Address, operation: str
) -> None:
    assert manager.post(address("connections/{connection}/disconnect/")).status_code == 200
    response = manager.post(address(f"connections/{{connection}}/{operation}/"))
    assert response.status_code == 409
    assert response.json()["detail"]
    assert not SyncRun.objects.exists()


def test_a_connection_of_another_application_is_a_conflict(manager: APIClient, address: Address) -> None:
    Connection.objects.update(client_id="amzn1.application-oa2-client.of-another")
    assert manager.post(address("connections/{connection}/sync/")).status_code == 409


def test_a_batch_is_cancelled_once(manager: APIClient, address: Address) -> None:
    cancel = address("accounts/batch/{batch}/cancel/")
    assert manager.post(cancel).json()["state"] == "cancelled"
    response = manager.post(cancel)
    assert response.status_code == 409
    assert response.json()["detail"] == "The operation has ended; nothing waits any more."


def test_a_batch_without_failures_is_not_retried(manager: APIClient, address: Address) -> None:
    response = manager.post(address("accounts/batch/{batch}/retry/"))
    assert response.status_code == 409
    assert response.json()["detail"] == "No item of the operation has failed."


def test_a_retry_names_the_address_of_the_operation(
    manager: APIClient, alice: User, account: Account
) -> None:
    batch = start_batch(alice, "update", account_ids=[str(account.pk)], options={"sync_enabled": False})
    cancel_batch(alice, batch)
    BatchItem.objects.filter(batch=batch).update(state="failed", message="No luck.")
    response = manager.post(f"{ROOT}accounts/batch/{batch.pk}/retry/")
    assert response.status_code == 202
    assert response["Location"] == f"{settings.PUBLIC_URL}{ROOT}accounts/batch/{batch.pk}/"
    assert BatchItem.objects.get(batch=batch).state == "waiting"


def test_an_update_of_labels_is_undone_once(manager: APIClient, alice: User, account: Account) -> None:
    options = {"labels": {"season": "Q4"}}
    batch = run_to_end(start_batch(alice, "update", account_ids=[str(account.pk)], options=options))
    undo = f"{ROOT}accounts/batch/{batch.pk}/undo/"
    response = manager.post(undo)
    assert (response.status_code, response.json()["operation"]) == (202, "undo")
    assert response["Location"] == f"{settings.PUBLIC_URL}{ROOT}accounts/batch/{response.json()['id']}/"
    again = manager.post(undo)
    assert (again.status_code, again.json()["detail"]) == (409, "The operation was undone already.")


@pytest.mark.parametrize(
    ("if_match", "status"),
    [
        ("*", 200),
        ('"*"', 200),
        ('"0"', 412),
        ("nonsense", 412),
        ("", 412),
        ('"ffffffffffffff"', 412),
        ('"fffffffffffffffff"', 412),
    ],
)
def test_a_change_of_another_version_is_refused(
    api: APIClient, address: Address, if_match: str, status: int
) -> None:
    response = api.patch(
        address("accounts/{account}/"),
        {"labels": {"team": "north"}},
        format="json",
        headers={"If-Match": if_match},
    )
    assert response.status_code == status
    assert Account.objects.get().labels == ({"team": "north"} if status == 200 else {})


@pytest.mark.parametrize("form", ["{tag}", "W/{tag}", '"1", {tag}', "  {tag} , x"])
def test_a_change_of_the_version_that_was_read_is_made(api: APIClient, address: Address, form: str) -> None:
    account = address("accounts/{account}/")
    tag = api.get(account)["ETag"]
    change, headers = {"labels": {"team": "north"}}, {"If-Match": form.format(tag=tag)}
    changed = api.patch(account, change, format="json", headers=headers)
    assert changed.status_code == 200
    assert changed["ETag"] not in {tag, ""}
    again = api.patch(account, {"labels": {"team": "south"}}, format="json", headers=headers)
    assert again.status_code == 412
    assert Account.objects.get().labels == {"team": "north"}
