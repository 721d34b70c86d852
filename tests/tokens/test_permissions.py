"""What a person may do, and whose rows a person sees."""

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import AnonymousUser, User
from django.core.exceptions import PermissionDenied

from amazon_accounts.sandbox.state import Sandbox
from tests.teams import set_role
from tests.tokens.conftest import ConnectionFactory, new_connection
from tests.tokens.factories import new_refresh
from tokens.alerts.create import alert_connection_broken, create_alert
from tokens.models import Alert, AuthorizationAttempt, Connection, TokenRefresh
from tokens.people.roles import Role
from tokens.permissions import SYSTEM, may, require

pytestmark = pytest.mark.django_db

PERMISSION = "tokens.refresh_connection"


class TestMay:
    def test_the_system_may_do_everything(self) -> None:
        assert may(SYSTEM, PERMISSION)
        require(SYSTEM, PERMISSION)

    def test_a_missing_person_may_do_nothing_and_sees_nothing(
        self, alice: User, settings: Any, sandbox: Sandbox
    ) -> None:
        missing: Any = None
        new_connection(alice, settings, "Atzr|a")
        assert not may(missing, PERMISSION)
        assert not Connection.objects.visible_to(missing).exists()

    def test_a_visitor_may_do_nothing(self) -> None:
        assert not may(AnonymousUser(), PERMISSION)

    def test_a_person_may_do_what_is_permitted(self, alice: User) -> None:
        assert not may(alice, PERMISSION)
        assert may(set_role(alice, Role.OPERATOR), PERMISSION)

    def test_a_person_who_may_not_sign_in_may_do_nothing(self, alice: User) -> None:
        alice.is_superuser = True
        assert may(alice, PERMISSION)
        alice.is_active = False
        assert not may(alice, PERMISSION)

    def test_the_refusal_names_the_permission(self, alice: User) -> None:
        with pytest.raises(PermissionDenied) as raised:
            require(alice, PERMISSION)
        assert str(raised.value) == PERMISSION


def new_attempt(connection: Connection) -> AuthorizationAttempt:
    return AuthorizationAttempt.objects.create(
        state_digest=str(connection.pk), session_digest="", user=connection.owner, connection=connection
    )


def new_alert(connection: Connection) -> Alert:
    alert_connection_broken(connection)
    return Alert.objects.get(connection=connection)


def itself(connection: Connection) -> Connection:
    return connection


ROWS = [
    (Connection, itself),
    (TokenRefresh, new_refresh),
    (Alert, new_alert),
    (AuthorizationAttempt, new_attempt),
]


@pytest.mark.parametrize(("model", "make"), ROWS, ids=lambda value: getattr(value, "__name__", ""))
class TestVisibility:
    @pytest.fixture
    def rows(
        self, model: Any, make: Callable[[Connection], Any], alice: User, settings: Any, sandbox: Sandbox
    ) -> tuple[Any, Any]:
        """A row of alice and a row of bob."""
        bob = User.objects.create_user("bob")
        for user in (alice, bob):
            set_role(user, Role.ADMINISTRATOR)
        return make(new_connection(alice, settings, "Atzr|a")), make(new_connection(bob, settings, "Atzr|b"))

    def test_a_person_sees_only_the_rows_of_the_team(
        self, model: Any, rows: tuple[Any, Any], alice: User
    ) -> None:
        assert list(model.objects.visible_to(alice)) == [rows[0]]
        assert list(model.objects.visible_to(User.objects.get(username="bob"))) == [rows[1]]

    def test_a_superuser_and_the_system_see_the_rows_of_everybody(
        self, model: Any, rows: tuple[Any, Any]
    ) -> None:
        root = User.objects.create_superuser("root")
        assert set(model.objects.visible_to(root)) == set(rows)
        assert set(model.objects.visible_to(SYSTEM)) == set(rows)

    @pytest.mark.usefixtures("rows")
    def test_visitors_and_inactive_people_see_nothing(self, model: Any, alice: User) -> None:
        assert not model.objects.visible_to(AnonymousUser()).exists()
        alice.is_active = False
        alice.save()
        assert not model.objects.visible_to(alice).exists()


def test_an_alert_without_a_connection_is_for_superusers(alice: User, connect: ConnectionFactory) -> None:
    create_alert(Alert.Kind.APPLICATION_REFUSED, "1", "Refused.")
    assert not Alert.objects.visible_to(alice).exists()
    assert Alert.objects.visible_to(User.objects.create_superuser("root")).exists()
