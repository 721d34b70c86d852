"""What each alert says, and when it is created."""

from datetime import UTC, datetime

import pytest

from tests.tokens.conftest import ConnectionFactory
from tokens.alerts import create as alerts
from tokens.models import Alert, Connection

pytestmark = pytest.mark.django_db

ENDS_AT = datetime(2026, 12, 31, tzinfo=UTC)


@pytest.fixture
def connection(connect: ConnectionFactory) -> Connection:
    return connect(label="Garden shop")


def test_a_broken_connection(connection: Connection) -> None:
    alerts.alert_connection_broken(connection)
    alert = Alert.objects.get()
    assert (alert.kind, alert.connection) == (Alert.Kind.CONNECTION_BROKEN, connection)
    assert alert.text.startswith("Amazon refuses the login of “Garden shop”.")


def test_a_healed_connection(connection: Connection) -> None:
    alerts.alert_connection_healed(connection)
    alert = Alert.objects.get()
    assert (alert.kind, alert.connection) == (Alert.Kind.CONNECTION_HEALED, connection)
    assert alert.text == "“Garden shop” is connected again."


def test_a_consent_that_ends(connection: Connection) -> None:
    alerts.alert_consent_ending(connection, ENDS_AT, 30)
    alert = Alert.objects.get()
    assert (alert.kind, alert.connection) == (Alert.Kind.CONSENT_ENDING, connection)
    assert "ends on 2026-12-31" in alert.text


def test_an_alert_may_concern_no_connection() -> None:
    alerts.create_alert(Alert.Kind.APPLICATION_REFUSED, "1", "Refused.")
    assert Alert.objects.get().connection is None


def test_a_new_alert_is_due_at_once(connection: Connection) -> None:
    alerts.alert_connection_broken(connection)
    alert = Alert.objects.get()
    assert alert.next_try_at is not None
    assert (alert.tries, alert.error, alert.sent_at) == (0, "", None)


def test_each_grant_breaks_and_heals_once(connection: Connection) -> None:
    for version in (1, 1, 2):
        connection.grant_version = version
        alerts.alert_connection_broken(connection)
        alerts.alert_connection_healed(connection)
    assert Alert.objects.filter(kind=Alert.Kind.CONNECTION_BROKEN).count() == 2
    assert Alert.objects.filter(kind=Alert.Kind.CONNECTION_HEALED).count() == 2


def test_each_end_of_a_consent_is_announced_once_for_each_term(connection: Connection) -> None:
    for days in (30, 30, 7, 1, 1):
        alerts.alert_consent_ending(connection, ENDS_AT, days)
    assert Alert.objects.count() == 3


def test_two_kinds_with_the_same_key_are_two_alerts() -> None:
    alerts.create_alert(Alert.Kind.APPLICATION_REFUSED, "1", "Refused.")
    alerts.create_alert(Alert.Kind.APPLICATION_ACCEPTED, "1", "Accepted.")
    assert Alert.objects.count() == 2


def test_an_alert_keeps_its_first_text() -> None:
    alerts.create_alert(Alert.Kind.APPLICATION_REFUSED, "1", "The first text.")
    alerts.create_alert(Alert.Kind.APPLICATION_REFUSED, "1", "Another text.")
    assert Alert.objects.get().text == "The first text."
