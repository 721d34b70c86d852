"""A grant is stored in a new connection, or in the connection that the login already has."""

import time
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.conf import LazySettings
from django.contrib.auth.models import User
from django.utils import timezone

from amazon_accounts.amazon_ads.lwa import Grant
from amazon_accounts.postgresql.clock import database_now
from tests.teams import team_of
from tests.tokens.conftest import ConnectionFactory
from tokens.connect.disconnect import disconnect_connection
from tokens.connect.grants import (
    AlreadyConnectedError,
    AuthorizationError,
    Consent,
    Proof,
    WrongLoginError,
    connect,
    reconnect,
)
from tokens.connect.identity import Identity
from tokens.models import Alert, Connection, TokenRefresh
from tokens.permissions import SYSTEM

pytestmark = pytest.mark.django_db

BOB = Identity("amzn1.account.BOB", "Bob", "bob@example.test")
CAROL = Identity("amzn1.account.CAROL", "Carol", "carol@example.test")
NOBODY = Identity()

MARGIN = timedelta(seconds=20)


def new_consent(owner: User, identity: Identity = BOB, token: str | None = None, **fields: Any) -> Consent:
    grant = Grant("Atza|new", token or "Atzr|new", 3600, "r-1")
    return Consent(team=team_of(owner), owner=owner, grant=grant, identity=identity, **fields)


def make_superuser(user: User) -> User:
    user.is_superuser = True
    user.save(update_fields=["is_superuser"])
    return user


class TestConnect:
    def test_an_unknown_login_becomes_a_connection(self, alice: User, settings: LazySettings) -> None:
        connected = connect(new_consent(alice, label="Garden shop", regions=["EU"]))
        assert connected.is_new
        connection = connected.connection
        assert (connection.owner, connection.label, connection.regions) == (alice, "Garden shop", ["EU"])
        assert connection.client_id == settings.AMAZON_CLIENT_ID
        assert connection.amazon_user == "bob@example.test"
        assert connection.grant_version == 1

    @pytest.mark.parametrize(
        ("identity", "label"),
        [
            (BOB, "bob@example.test"),
            (Identity("amzn1.account.BOB", "Bob"), "Bob"),
            (Identity("amzn1.account.BOB"), "amzn1.account.BOB"),
        ],
    )
    def test_a_connection_without_a_label_is_named_after_its_login(
        self, alice: User, identity: Identity, label: str
    ) -> None:
        assert connect(new_consent(alice, identity)).connection.label == label

    def test_a_connection_without_regions_has_all_of_them(self, alice: User) -> None:
        assert connect(new_consent(alice)).connection.regions == ["NA", "EU", "FE"]

    def test_a_known_login_gets_the_new_grant(self, alice: User) -> None:
        first = connect(new_consent(alice, label="Garden shop", regions=["EU"])).connection
        again = connect(new_consent(alice, token="Atzr|newer"))
        assert not again.is_new
        assert again.connection.pk == first.pk
        assert (again.connection.label, again.connection.regions) == ("Garden shop", ["EU"])
        assert again.connection.grant_version == 2

    def test_connecting_a_known_login_changes_neither_its_label_nor_its_regions(self, alice: User) -> None:
        connect(new_consent(alice, label="Garden shop", regions=["EU"]))
        again = connect(new_consent(alice, label="Toy shop", regions=["NA", "FE"])).connection
        assert (again.label, again.regions) == ("Garden shop", ["EU"])
        again = reconnect(again.pk, new_consent(alice, label="Toy shop", regions=["NA"])).connection
        assert (again.label, again.regions, again.grant_version) == ("Garden shop", ["EU"], 3)

    def test_each_person_has_a_connection_of_the_same_login(self, alice: User) -> None:
        connect(new_consent(alice))
        assert connect(new_consent(User.objects.create_user("dora"))).is_new
        assert Connection.objects.count() == 2

    def test_a_login_that_was_disconnected_gets_a_new_connection(self, alice: User) -> None:
        disconnect_connection(SYSTEM, connect(new_consent(alice)).connection)
        assert connect(new_consent(alice)).is_new

    def test_a_login_without_an_identity_is_recognized_by_its_refresh_token(self, alice: User) -> None:
        first = connect(new_consent(alice, NOBODY, "Atzr|one")).connection
        assert connect(new_consent(alice, NOBODY, "Atzr|two")).is_new
        again = connect(new_consent(alice, NOBODY, "Atzr|one"))
        assert (again.is_new, again.connection.pk) == (False, first.pk)

    def test_a_login_of_another_application_is_another_connection(
        self, alice: User, settings: LazySettings
    ) -> None:
        connect(new_consent(alice))
        settings.AMAZON_CLIENT_ID = "another"
        assert connect(new_consent(alice)).is_new

    def test_the_life_of_the_token_counts_from_its_receipt(self, alice: User) -> None:
        received_at = time.monotonic() - 600
        connection = connect(new_consent(alice, received_at=received_at)).connection
        assert connection.expires_at is not None
        assert abs((connection.expires_at - timezone.now()).total_seconds() - 3000) < 5

    def test_the_refresh_that_proved_the_token_is_in_the_history(self, alice: User) -> None:
        began_at = time.monotonic() - 2
        connection = connect(new_consent(alice, proof=Proof(began_at, tries=2))).connection
        refresh = connection.refreshes.get()
        assert (refresh.trigger, refresh.outcome, refresh.tries) == ("connect", "succeeded", 2)
        assert refresh.finished_at is not None
        assert timedelta(seconds=2) <= refresh.finished_at - refresh.started_at < timedelta(seconds=20)
        assert refresh.token_valid_after is True

    @pytest.mark.usefixtures("wrong_clock")
    def test_a_wrong_clock_of_the_process_writes_no_wrong_time(self, alice: User) -> None:
        proof = Proof(time.monotonic(), tries=1)
        connection = connect(new_consent(alice, NOBODY, proof=proof)).connection
        now = database_now()
        assert connection.expires_at is not None
        assert abs(connection.expires_at - now - timedelta(hours=1)) < MARGIN
        assert connection.next_refresh_at is not None
        assert now < connection.next_refresh_at < connection.expires_at
        assert connection.last_refreshed_at is not None
        refresh = connection.refreshes.get()
        assert refresh.finished_at is not None
        for moment in (connection.last_refreshed_at, refresh.started_at, refresh.finished_at):
            assert abs(moment - now) < MARGIN
        assert connection.label == f"Amazon login of {connection.last_refreshed_at:%Y-%m-%d %H:%M}"

    def test_a_grant_from_the_consent_page_adds_no_refresh_to_the_history(self, alice: User) -> None:
        connect(new_consent(alice))
        assert not TokenRefresh.objects.exists()


class TestConsentDate:
    def test_a_new_token_without_a_date_has_an_unknown_consent(self, alice: User) -> None:
        connect(new_consent(alice, consented_at=timezone.now()))
        assert connect(new_consent(alice, token="Atzr|newer")).connection.consented_at is None

    def test_the_same_token_keeps_the_date_of_its_consent(self, alice: User) -> None:
        consented_at = timezone.now() - timedelta(days=3)
        connect(new_consent(alice, consented_at=consented_at))
        assert connect(new_consent(alice)).connection.consented_at == consented_at

    def test_a_given_date_replaces_the_stored_date(self, alice: User) -> None:
        connect(new_consent(alice, consented_at=timezone.now() - timedelta(days=3)))
        now = timezone.now()
        assert connect(new_consent(alice, consented_at=now)).connection.consented_at == now


class TestReconnect:
    def test_a_broken_connection_is_healed_with_one_alert(self, alice: User) -> None:
        connection = connect(new_consent(alice)).connection
        Connection.objects.update(state="reauthorization_required", next_refresh_at=None, last_error="No.")
        connected = reconnect(connection.pk, new_consent(alice))
        assert not connected.is_new
        healed = connected.connection
        assert healed.state == Connection.State.ACTIVE
        assert (healed.last_error, healed.grant_version) == ("", 2)
        assert Alert.objects.get().kind == Alert.Kind.CONNECTION_HEALED

    def test_a_connection_that_works_is_renewed_without_an_alert(self, alice: User) -> None:
        connection = connect(new_consent(alice)).connection
        reconnect(connection.pk, new_consent(alice))
        assert not Alert.objects.exists()

    def test_the_grant_of_another_login_is_refused(self, alice: User) -> None:
        connection = connect(new_consent(alice)).connection
        with pytest.raises(WrongLoginError, match=r"as carol@example\.test, but") as raised:
            reconnect(connection.pk, new_consent(alice, CAROL))
        assert raised.value.connection.pk == connection.pk
        assert Connection.objects.get().grant_version == 1

    def test_a_grant_that_hides_its_login_is_refused(self, alice: User) -> None:
        connection = connect(new_consent(alice)).connection
        with pytest.raises(WrongLoginError, match="Amazon did not tell which login"):
            reconnect(connection.pk, new_consent(alice, NOBODY))

    def test_a_grant_without_an_identity_is_accepted_when_the_scopes_ask_for_none(
        self, alice: User, settings: LazySettings
    ) -> None:
        connection = connect(new_consent(alice)).connection
        settings.AMAZON_SCOPES = "advertising::campaign_management"
        renewed = reconnect(connection.pk, new_consent(alice, NOBODY)).connection
        assert renewed.amazon_user_id == BOB.user_id

    def test_a_connection_of_an_unknown_login_accepts_any_login(self, alice: User) -> None:
        connection = connect(new_consent(alice, NOBODY)).connection
        assert reconnect(connection.pk, new_consent(alice, CAROL)).connection.amazon_user_id == CAROL.user_id

    def test_a_login_cannot_have_two_connections(self, alice: User) -> None:
        unknown = connect(new_consent(alice, NOBODY)).connection
        connect(new_consent(alice, CAROL))
        with pytest.raises(AlreadyConnectedError, match=r"carol@example\.test, which is connected already"):
            reconnect(unknown.pk, new_consent(alice, CAROL))
        unknown.refresh_from_db()
        assert unknown.grant_version == 1

    def test_a_disconnected_connection_becomes_active_again(self, alice: User) -> None:
        connection = connect(new_consent(alice)).connection
        disconnect_connection(make_superuser(alice), connection)
        back = reconnect(connection.pk, new_consent(alice)).connection
        assert back.state == Connection.State.ACTIVE
        assert (back.disconnected_at, back.disconnected_by) == (None, None)

    def test_a_connection_that_does_not_exist_is_an_error(self, alice: User) -> None:
        with pytest.raises(Connection.DoesNotExist):
            reconnect(uuid4(), new_consent(alice))


def test_a_refresh_of_the_old_grant_loses_its_lease(connect: ConnectionFactory, alice: User) -> None:
    connection = connect(lease_id=uuid4())
    reconnect(connection.pk, new_consent(alice))
    connection.refresh_from_db()
    assert connection.lease_id is None


def test_an_error_without_a_text_has_the_text_of_its_class() -> None:
    assert str(AuthorizationError()) == "The login could not be connected."
    assert str(AuthorizationError("Another text.")) == "Another text."
