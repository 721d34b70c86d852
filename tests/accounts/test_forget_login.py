"""Forgetting a login erases the names in every table, and keeps the history."""

import io
import logging
from datetime import timedelta
from uuid import uuid4

import pytest
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import connection as database
from django.test import Client
from django.utils import timezone
from rest_framework.test import APIClient

from accounts.models import Account, AccountAccess, AccountChange, Profile, SyncRun
from accounts.standing.alerts import CARD_ENDS, alert_standings
from tests.accounts.conftest import AccountFactory, ConnectionFactory
from tests.api_keys import new_key
from tests.tokens.factories import new_refresh
from tests.traces import find_tables_with
from tokens.alerts.create import alert_connection_broken
from tokens.connect.disconnect import disconnect_connection
from tokens.connect.forget import StillConnectedError, forget_login
from tokens.connect.grants import WrongLoginError, _require_same_login
from tokens.connect.identity import Identity
from tokens.models import Alert, Connection, TokenRefresh
from tokens.permissions import SYSTEM

pytestmark = pytest.mark.django_db

# Each has one of these pieces, in letters that the search index keeps.
TRACES = ["zebulon", "quagga", "amzn1.account.zq"]


def stage_rows(run: SyncRun) -> None:
    with database.cursor() as cursor:
        cursor.execute(
            "INSERT INTO accounts_staged_account (run_id, walk, position, amazon_account_id, new_id, source, seen_in,"
            " name, status, countries, errors, metadata, profile_ids, profile_countries, profile_regions,"
            " profile_entities) VALUES (%s, 0, 1, 'x', %s, 'profiles', '{}', 'Quagga', 'active', '{}', '{}', '{}',"
            " '{}', '{}', '{}', '{}')",
            [run.pk, uuid4()],
        )


@pytest.fixture
def login(alice: User, new_connection: ConnectionFactory) -> Connection:
    return new_connection(
        alice,
        label="Zebulon's shop",
        amazon_user_id="amzn1.account.ZQ",
        amazon_user_name="Zebulon",
        amazon_user_email="zebulon@example.test",
        sync_error="zebulon may not read this",
    )


@pytest.fixture
def account(alice: User, login: Connection, new_account: AccountFactory) -> Account:
    """An account of the login with everything that may have its name."""
    run = SyncRun.objects.create(
        connection=login, trigger="scheduled", state="running", started_at=login.created_at
    )
    account = new_account(
        alice,
        "Quagga Garden",
        connection=login,
        metadata={"accountName": "Quagga"},
        errors={"DE": ["quagga"]},
    )
    notice = {"name": CARD_ENDS, "title": "Quagga's card", "due_at": None, "suspension_at": None}
    Profile.objects.create(
        account=account, profile_id="1", name="Quagga DE", billing_message="Quagga owes", notices=[notice]
    )
    soon = timezone.now() + timedelta(days=2)
    Account.objects.filter(pk=account.pk).update(standing="at_risk", suspension_at=soon)
    Account.objects.filter(pk=account.pk).update(name="Quagga & Sons")
    AccountChange.objects.create(account=account, run=run, kind="status", old="active", new="suspended")
    alert_standings(run.pk, login.pk)
    alert_connection_broken(login)
    new_refresh(login, "permanent", error="zebulon is locked")
    stage_rows(run)
    return account


@pytest.mark.usefixtures("account")
def test_nothing_in_any_table_names_the_login_or_its_accounts(login: Connection) -> None:
    assert all(find_tables_with(trace) for trace in TRACES)
    disconnect_connection(SYSTEM, login)
    assert forget_login(SYSTEM, login)
    assert [find_tables_with(trace) for trace in TRACES] == [[], [], []]


def test_earlier_connections_of_the_login_are_forgotten_with_it(
    alice: User, login: Connection, new_connection: ConnectionFactory
) -> None:
    disconnect_connection(SYSTEM, login)
    later = new_connection(alice, amazon_user_id="amzn1.account.ZQ", amazon_user_name="Zebulon")
    disconnect_connection(SYSTEM, later)
    assert forget_login(SYSTEM, later)
    assert find_tables_with("zebulon") == []
    login.refresh_from_db()
    assert login.is_forgotten


def test_the_history_stays_without_the_names(login: Connection, account: Account) -> None:
    disconnect_connection(SYSTEM, login)
    before = AccountChange.objects.filter(account=account).count()
    forget_login(SYSTEM, login)
    account.refresh_from_db()
    assert (account.name, account.status) == ("", "inactive")
    # Its name and its errors were changed by the erasure itself.
    assert AccountChange.objects.filter(account=account).count() == before + 2
    assert AccountChange.objects.filter(kind="status", old="active", new="suspended").exists()
    assert SyncRun.objects.filter(connection=login).count() == 1
    assert TokenRefresh.objects.filter(connection=login).count() == 1
    # An alert that waited is not sent.
    assert Alert.objects.filter(next_try_at=None).count() == 4


def test_an_account_that_another_connection_sees_keeps_its_name(
    login: Connection, account: Account, new_connection: ConnectionFactory
) -> None:
    other = new_connection(login.owner)
    AccountAccess.objects.create(account=account, connection=other)
    disconnect_connection(SYSTEM, login)
    forget_login(SYSTEM, login)
    account.refresh_from_db()
    assert (account.name, account.connection) == ("Quagga & Sons", other)
    assert find_tables_with("zebulon") == []


def test_the_api_and_the_export_show_no_name(api: APIClient, login: Connection, account: Account) -> None:
    disconnect_connection(SYSTEM, login)
    forget_login(SYSTEM, login)
    for path in (
        f"accounts/{account.pk}/",
        f"accounts/{account.pk}/changes/",
        "accounts/export/?format=csv",
        f"connections/{login.pk}/",
    ):
        response = api.get(f"/api/v1/{path}")
        assert response.status_code == 200
        text = response.getvalue().decode().lower()
        assert not any(trace in text for trace in TRACES)
    assert api.get("/api/v1/accounts/?search=quagga").json()["results"] == []


def test_who_did_it_and_when_is_kept_and_logged(
    login: Connection, admin: User, caplog: pytest.LogCaptureFixture
) -> None:
    disconnect_connection(SYSTEM, login)
    with caplog.at_level(logging.INFO):
        forget_login(admin, login)
        assert not forget_login(admin, login)
    assert login.forgotten_by == admin
    assert login.forgotten_at is not None
    assert f"The Amazon login of connection {login.pk} was forgotten by user {admin.pk}" in caplog.text
    assert caplog.text.count("was forgotten by") == 1


def test_a_connected_login_is_not_forgotten(login: Connection) -> None:
    with pytest.raises(StillConnectedError, match="Disconnect it first"):
        forget_login(SYSTEM, login)
    assert find_tables_with("zebulon") == ["tokens_connection"]


def test_it_needs_the_permission_to_disconnect(alice: User, login: Connection) -> None:
    disconnect_connection(SYSTEM, login)
    with pytest.raises(PermissionDenied):
        forget_login(alice, login)
    assert "tokens_connection" in find_tables_with("zebulon")


def test_a_forgotten_login_is_not_reconnected(login: Connection) -> None:
    disconnect_connection(SYSTEM, login)
    forget_login(SYSTEM, login)
    with pytest.raises(WrongLoginError, match="as a new connection"):
        _require_same_login(login, Identity("amzn1.account.ZQ", "Zebulon"))


def test_a_forgotten_login_keeps_its_label_and_regions(
    admin: User, login: Connection, client: Client
) -> None:
    disconnect_connection(SYSTEM, login)
    forget_login(SYSTEM, login)
    api, refusal = APIClient(), "The login was forgotten"
    api.credentials(HTTP_AUTHORIZATION=f"Token {new_key(admin)}")
    answer = api.patch(f"/api/v1/connections/{login.pk}/", {"label": "Zebulon"}, format="json")
    assert answer.status_code == 400
    assert refusal in answer.json()["detail"]
    client.force_login(admin)
    page = client.post(f"/connections/{login.pk}/update/", {"label": "Zebulon", "regions": ["EU"]})
    assert refusal in page.content.decode()
    assert Connection.objects.get().label == "Forgotten login"


def test_amazon_is_not_asked_again_which_login_it_was(login: Connection) -> None:
    disconnect_connection(SYSTEM, login)
    Connection.objects.filter(pk=login.pk).update(is_identity_pending=True)
    forget_login(SYSTEM, login)
    assert not login.is_identity_pending


def test_the_command_forgets_a_disconnected_login(login: Connection) -> None:
    with pytest.raises(CommandError, match="Disconnect it first"):
        call_command("forget_login", str(login.pk))
    disconnect_connection(SYSTEM, login)
    for answer in ("The login is forgotten.", "The login was forgotten before."):
        out = io.StringIO()
        call_command("forget_login", str(login.pk), stdout=out)
        assert answer in out.getvalue()
    for wrong, message in ((str(uuid4()), "There is no connection"), ("zebra", "invalid UUID")):
        with pytest.raises(CommandError, match=message):
            call_command("forget_login", wrong)
