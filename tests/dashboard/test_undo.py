"""Undoing an update of labels: from the page of the operation, and from the toast in the list."""

import pytest
from django.contrib.auth.models import User
from django.test import Client

from accounts.batch import start_batch
from accounts.batch.work import run_chunk
from accounts.models import Account, BatchOperation
from tests.dashboard.conftest import LogIn, MakeAccount, MakeConnection, staff

HTMX = {"HX-Request": "true"}


@pytest.fixture
def client(alice: User, log_in: LogIn) -> Client:
    return log_in(alice)


@pytest.fixture
def accounts(alice: User, make_connection: MakeConnection, make_account: MakeAccount) -> list[Account]:
    connection = make_connection(alice)
    return [make_account(connection, f"Account {number}") for number in range(3)]


@pytest.fixture
def labelled(alice: User, accounts: list[Account]) -> BatchOperation:
    """An update of labels that has ended."""
    options = {"labels": {"season": "Q4", "old": None}}
    return end(start_batch(alice, "update", account_ids=[each.pk for each in accounts], options=options))


def end(batch: BatchOperation) -> BatchOperation:
    while run_chunk(batch.pk):
        pass
    batch.refresh_from_db()
    return batch


def test_labels_are_undone_from_the_page_of_the_operation(client: Client, labelled: BatchOperation) -> None:
    address = f"/operations/{labelled.pk}/"
    assert f'action="{address}undo/"' in client.get(address).content.decode()
    response = client.post(f"{address}undo/")
    undo = BatchOperation.objects.get(operation="undo")
    assert (response.status_code, response["Location"]) == (303, f"/operations/{undo.pk}/")
    end(undo)
    assert not Account.objects.exclude(labels={}).exists()
    page = client.get(f"/operations/{undo.pk}/").content.decode()
    assert f'href="{address}"' in page
    assert "/undo/" not in page
    page = client.get(address).content.decode()
    assert f'href="/operations/{undo.pk}/"' in page
    assert "/undo/" not in page
    assert "undone already" in client.post(f"{address}undo/", follow=True).content.decode()


def test_who_may_not_undo_sees_no_button(log_in: LogIn, labelled: BatchOperation) -> None:
    onlooker = staff("vera", "Viewer")
    BatchOperation.objects.update(user=onlooker)
    assert "/undo/" not in log_in(onlooker).get(f"/operations/{labelled.pk}/").content.decode()


def test_the_list_stays_and_a_toast_follows_what_was_started_from_it(
    client: Client, accounts: list[Account]
) -> None:
    form = {
        "operation": "update",
        "account_ids": ",".join(str(each.pk) for each in accounts),
        "confirm": "1",
        "set_labels": "season: Q4",
    }
    response = client.post("/operations/", form, headers=HTMX)
    assert "HX-Redirect" not in response
    assert "selection:clear" in response["HX-Trigger"]
    assert "Labelling 3 accounts…" in response.content.decode()
    batch = BatchOperation.objects.get()
    address = f"/operations/{batch.pk}/"
    assert f'hx-get="{address}toast/"' in response.content.decode()
    assert client.get(f"{address}toast/", headers=HTMX).status_code == 204
    end(batch)
    response = client.get(f"{address}toast/", headers=HTMX)
    assert "3 accounts labelled season: Q4." in response.content.decode()
    assert f'action="{address}undo/"' in response.content.decode()
    assert "list:changed" in response["HX-Trigger"]
    assert "Undoing…" in client.post(f"{address}undo/", headers=HTMX).content.decode()
    undo = end(BatchOperation.objects.get(operation="undo"))
    toast = client.get(f"/operations/{undo.pk}/toast/", headers=HTMX).content.decode()
    assert "Undone for 3 accounts." in toast
    assert "/undo/" not in toast
    assert "undone already" in client.post(f"{address}undo/", headers=HTMX).content.decode()


def test_a_toast_counts_what_was_not_done(client: Client, labelled: BatchOperation) -> None:
    BatchOperation.objects.update(state="partial", succeeded=1, failed=1, skipped=1)
    toast = client.get(f"/operations/{labelled.pk}/toast/", headers=HTMX).content.decode()
    assert "1 account labelled season: Q4. old removed from 1 account. 1 failed. 1 skipped." in toast
