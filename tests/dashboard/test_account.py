"""The page of one account: what is wrong with it, what can be done, and who changed what."""

import pytest
from django.contrib.auth.models import User
from django.db import transaction
from django.test import Client

from accounts.batch import run_chunk, start_batch
from accounts.models import Account, AccountChange, SyncRun
from tests.dashboard.conftest import LogIn, MakeAccount, MakeConnection
from tokens.connections import disconnect
from tokens.models import Connection


@pytest.fixture
def client(alice: User, log_in: LogIn) -> Client:
    return log_in(alice)


@pytest.fixture
def connection(alice: User, make_connection: MakeConnection) -> Connection:
    return make_connection(alice)


@pytest.fixture
def account(connection: Connection, make_account: MakeAccount) -> Account:
    return make_account(connection, "Garden")


def shown(client: Client, account: Account) -> str:
    return client.get(f"/accounts/{account.pk}/").content.decode()


@pytest.mark.django_db(transaction=True)
def test_a_change_names_the_person_or_the_sync_that_made_it(
    client: Client, alice: User, connection: Connection, account: Account
) -> None:
    run_chunk(start_batch(alice, "disconnect", account_ids=[account.pk]).pk)
    run_chunk(start_batch(None, "reconnect", account_ids=[account.pk]).pk)
    run = SyncRun.objects.create(connection=connection, trigger="manual")
    AccountChange.objects.create(account=account, run=run, kind="name", old="Yard", new="Garden")
    by_person, by_command, by_sync = AccountChange.objects.order_by("id")
    assert (by_person.changed_by, by_command.changed_by, by_sync.changed_by) == (alice, None, None)
    link = f'href="/admin/accounts/syncrun/{run.pk}/change/">a sync</a>'
    for page in (shown(client, account), client.get("/history/?kind=change").content.decode()):
        assert page.count(" · alice") == 1
        assert page.count(link) == 1
    told = client.get(f"/api/v1/accounts/{account.pk}/changes/").json()["results"]
    assert [change["changed_by"] for change in told] == [None, None, "alice"]


@pytest.mark.django_db(transaction=True)
def test_who_disconnects_a_login_changes_its_accounts(
    alice: User, connection: Connection, account: Account
) -> None:
    disconnect(connection, alice)
    assert AccountChange.objects.get(kind="vanished").changed_by == alice
    with transaction.atomic():
        Account.objects.filter(pk=account.pk).update(name="Yard")
    assert AccountChange.objects.get(kind="name").changed_by is None
