from http import HTTPStatus
from typing import Any

import pytest
from django.conf import LazySettings
from django.contrib.auth.models import User
from django.test import Client

from amazon_accounts.sandbox.state import Sandbox
from tests.tokens.conftest import new_connection
from tests.tokens.connect.oauth.browsing import START, connect
from tokens.connect.disconnect import disconnect_connection
from tokens.encryption import Secret
from tokens.models import Alert, AuthorizationAttempt, Connection
from tokens.permissions import SYSTEM

pytestmark = pytest.mark.django_db(transaction=True)


def test_connecting_a_connected_login_renews_its_grant_and_keeps_the_rest(
    browser: Client, sandbox: Sandbox, changes: list[str]
) -> None:
    connect(browser, sandbox, label="Garden shop")
    first = Connection.objects.get()
    shown = connect(browser, sandbox, label="Drive-by", regions=["EU"])
    assert "is connected again" in shown
    again = Connection.objects.get()
    assert again.pk == first.pk
    assert (again.label, again.regions) == ("Garden shop", ["NA", "EU", "FE"])
    assert again.grant_version == 2
    assert changes == ["connected", "healed"]


def test_reconnecting_heals_the_same_connection(
    browser: Client, sandbox: Sandbox, changes: list[str]
) -> None:
    connect(browser, sandbox, label="Garden shop")
    connection = Connection.objects.get()
    Connection.objects.update(
        state="reauthorization_required", next_refresh_at=None, last_error="Refused.", grant_refusals=2
    )
    shown = connect(browser, sandbox, connection=connection.pk)
    assert "is connected again" in shown
    healed = Connection.objects.get()
    assert healed.pk == connection.pk
    assert healed.state == Connection.State.ACTIVE
    assert healed.last_error == ""
    assert healed.grant_refusals == 0
    assert healed.grant_version == 2
    assert healed.next_refresh_at is not None
    assert changes == ["connected", "healed"]
    assert Alert.objects.get().kind == Alert.Kind.CONNECTION_HEALED


def test_a_connection_whose_stored_token_cannot_be_decrypted_is_reconnected(
    browser: Client, sandbox: Sandbox
) -> None:
    connect(browser, sandbox, label="Garden shop")
    connection = Connection.objects.get()
    Connection.objects.update(refresh_token=Secret("of a key that is gone"))
    shown = connect(browser, sandbox, connection=connection.pk)
    assert "is connected again" in shown
    connection.refresh_from_db()
    assert connection.grant_version == 2
    assert connection.refresh_token is not None
    assert connection.refresh_token.reveal().startswith("Atzr|")


def test_reconnecting_with_another_login_changes_nothing(browser: Client, sandbox: Sandbox) -> None:
    connect(browser, sandbox, "bob", label="Garden shop")
    before = Connection.objects.values().get()
    shown = connect(browser, sandbox, "charlie", connection=before["id"])
    assert "You signed in to Amazon as charlie@example.test, " in shown
    assert f"but this connection belongs to {before['amazon_user_email']}. Nothing was changed." in shown
    assert f'<a href="/connect/amazon/?connection={before["id"]}">Try again</a>' in shown
    assert '<a href="/connect/amazon/">Add as a new connection</a>' in shown
    after = Connection.objects.values().get()
    assert {name: str(value) for name, value in after.items()} == {
        name: str(value) for name, value in before.items()
    }
    assert after["refresh_token"] is not None
    assert before["refresh_token"] is not None
    assert after["refresh_token"].ciphertext == before["refresh_token"].ciphertext


def test_a_disconnected_connection_can_be_reconnected(browser: Client, sandbox: Sandbox, alice: User) -> None:
    connect(browser, sandbox)
    connection = Connection.objects.get()
    disconnect_connection(SYSTEM, connection)
    connect(browser, sandbox, connection=connection.pk)
    connection.refresh_from_db()
    assert connection.state == Connection.State.ACTIVE
    assert connection.disconnected_at is None


def test_reconnecting_a_login_that_has_another_connection_is_refused(
    browser: Client, sandbox: Sandbox, alice: User
) -> None:
    connect(browser, sandbox)
    old = Connection.objects.get()
    disconnect_connection(SYSTEM, old)
    connect(browser, sandbox, label="The new one")
    shown = connect(browser, sandbox, connection=old.pk)
    assert "which is connected already" in shown
    old.refresh_from_db()
    assert old.state == Connection.State.DISCONNECTED


def test_the_connection_of_another_person_cannot_be_reconnected(
    browser: Client, sandbox: Sandbox, settings: LazySettings
) -> None:
    foreign = new_connection(User.objects.create_user("charlie"), settings, "Atzr|x")
    for method in (browser.get, browser.post):
        assert method(START, {"connection": str(foreign.pk)}).status_code == HTTPStatus.NOT_FOUND


@pytest.mark.parametrize(
    ("data", "status"),
    [
        ({"regions": ["NA", "XX"]}, HTTPStatus.UNPROCESSABLE_ENTITY),
        ({"regions": []}, HTTPStatus.UNPROCESSABLE_ENTITY),
        ({"region": "zz"}, HTTPStatus.UNPROCESSABLE_ENTITY),
        ({"label": "x" * 201}, HTTPStatus.UNPROCESSABLE_ENTITY),
        ({"label": "a\x1bb"}, HTTPStatus.UNPROCESSABLE_ENTITY),
        ({"connection": "7"}, HTTPStatus.NOT_FOUND),
    ],
)
def test_bad_input_is_explained(
    browser: Client, sandbox: Sandbox, data: dict[str, Any], status: HTTPStatus
) -> None:
    response = browser.post(START, {"regions": "NA", **data})
    assert response.status_code == status
    assert ('role="alert"' in response.content.decode()) is (status == HTTPStatus.UNPROCESSABLE_ENTITY)
    assert not AuthorizationAttempt.objects.exists()
