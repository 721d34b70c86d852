"""Delays, failures and texts of the messages that carry alerts."""

from datetime import timedelta
from typing import Any

import pytest
from django.conf import LazySettings
from django.contrib.auth.models import User
from django.core import mail
from django.core.mail.backends.locmem import EmailBackend
from django.db.models.functions import Now
from django.utils import timezone

from amazon_accounts.postgresql.clock import database_now
from tests.tokens.alerts.test_alerts import let_claims_run_out
from tests.tokens.conftest import ConnectionFactory
from tokens.alerts import create as alerts
from tokens.alerts import delivery, messages
from tokens.models import Alert

pytestmark = pytest.mark.django_db(transaction=True)

MODULE = "tests.tokens.alerts.test_delivery"


class UnreachableBackend(EmailBackend):
    def send_messages(self, messages: Any) -> int:
        raise ConnectionRefusedError("nobody listens")


class SilentBackend(EmailBackend):
    def send_messages(self, messages: Any) -> int:
        raise TimeoutError("timed out")


def new_alerts(number: int, kind: Alert.Kind = Alert.Kind.CONNECTION_BROKEN) -> list[Alert]:
    return [Alert(kind=kind, key=str(each), text=f"Alert {each}.") for each in range(number)]


class TestMessage:
    @pytest.mark.parametrize("kind", Alert.Kind)
    def test_the_title_of_one_alert_is_singular(self, kind: Alert.Kind, settings: LazySettings) -> None:
        title, body = messages.compose(new_alerts(1, kind))
        assert title == messages.TITLES[kind][0]
        page = messages.PAGES.get(kind, "/")
        assert body == f"Alert 0.\n\n{settings.PUBLIC_URL}{page}"

    @pytest.mark.parametrize("kind", Alert.Kind)
    def test_the_title_of_several_alerts_is_plural(self, kind: Alert.Kind) -> None:
        title, _ = messages.compose(new_alerts(3, kind))
        assert title == messages.TITLES[kind][1].format(count=3)

    @pytest.mark.parametrize(
        ("number", "more"), [(9, ""), (10, ""), (11, "And 1 more."), (500, "And 490 more.")]
    )
    def test_a_long_message_counts_the_alerts_that_it_leaves_out(self, number: int, more: str) -> None:
        _, body = messages.compose(new_alerts(number))
        assert body.count("Alert ") == min(number, messages.MAX_LINES)
        assert ("more." in body) is bool(more)
        assert more in body

    def test_a_message_has_its_id_and_host(
        self, connect: ConnectionFactory, settings: LazySettings, alice: User
    ) -> None:
        settings.PUBLIC_URL = "https://ads.example.com"
        alerts.alert_connection_broken(connect())
        delivery.send_due_alerts()
        message_id = mail.outbox[0].extra_headers["Message-ID"]
        assert message_id == f"<{Alert.objects.get().message_id}.{alice.pk}@ads.example.com>"


class TestFailure:
    @pytest.mark.parametrize(
        ("backend", "words"),
        [
            ("UnreachableBackend", "ConnectionRefusedError: nobody listens"),
            ("SilentBackend", "TimeoutError: timed out"),
        ],
    )
    def test_the_error_of_the_mail_server_is_on_the_alert(
        self, connect: ConnectionFactory, settings: LazySettings, backend: str, words: str
    ) -> None:
        settings.EMAIL_BACKEND = f"{MODULE}.{backend}"
        alerts.alert_connection_broken(connect())
        assert delivery.send_due_alerts() == 0
        alert = Alert.objects.get()
        assert words in alert.error
        assert list(Alert.objects.undelivered()) == [alert]

    @pytest.mark.parametrize(("tries", "minutes"), [(0, 2), (1, 4), (3, 16), (4, 32), (5, 60), (50, 60)])
    def test_the_delay_doubles_up_to_an_hour(
        self, connect: ConnectionFactory, settings: LazySettings, tries: int, minutes: int
    ) -> None:
        settings.EMAIL_BACKEND = f"{MODULE}.SilentBackend"
        alerts.alert_connection_broken(connect())
        Alert.objects.update(tries=tries)
        delivery.send_due_alerts()
        next_try_at = Alert.objects.get().next_try_at
        assert next_try_at is not None
        assert abs(next_try_at - timezone.now() - timedelta(minutes=minutes)) < timedelta(seconds=30)

    @pytest.mark.usefixtures("wrong_clock")
    def test_the_clock_of_the_process_changes_no_delay(
        self, connect: ConnectionFactory, settings: LazySettings
    ) -> None:
        alerts.alert_connection_broken(connect())
        settings.EMAIL_BACKEND = f"{MODULE}.SilentBackend"
        assert delivery.due_alerts_exist()
        assert delivery.send_due_alerts() == 0
        next_try_at = Alert.objects.get().next_try_at
        assert next_try_at is not None
        assert abs(next_try_at - database_now() - timedelta(minutes=2)) < timedelta(seconds=30)
        Alert.objects.update(next_try_at=Now())
        settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
        assert delivery.send_due_alerts() == 1
        sent_at = Alert.objects.get().sent_at
        assert sent_at is not None
        assert abs(sent_at - database_now()) < timedelta(seconds=30)

    def test_a_message_that_no_address_took_is_never_given_up(
        self, connect: ConnectionFactory, settings: LazySettings
    ) -> None:
        settings.EMAIL_BACKEND = f"{MODULE}.SilentBackend"
        alerts.alert_connection_broken(connect())
        Alert.objects.update(created_at=timezone.now() - timedelta(days=30))
        for _ in range(3):
            let_claims_run_out()
            delivery.send_due_alerts()
        assert Alert.objects.get().next_try_at is not None

    def test_a_failing_kind_does_not_delay_another_kind(
        self, connect: ConnectionFactory, settings: LazySettings
    ) -> None:
        settings.EMAIL_BACKEND = f"{MODULE}.SilentBackend"
        alerts.alert_connection_broken(connect())
        delivery.send_due_alerts()
        settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
        alerts.alert_connection_healed(connect(label="Toy shop"))
        assert delivery.send_due_alerts() == 1
        assert [message.subject for message in mail.outbox] == ["A login is connected again"]


class TestClaim:
    def test_two_processes_do_not_send_the_same_message(self, connect: ConnectionFactory) -> None:
        alerts.alert_connection_broken(connect())
        first = delivery._claim()
        assert first is not None
        assert delivery._claim() is None

    def test_a_message_has_a_limit_of_alerts(self) -> None:
        Alert.objects.bulk_create(new_alerts(delivery.MAX_ALERTS_IN_MESSAGE + 1))
        claimed = delivery._claim()
        assert claimed is not None
        assert len(claimed[1]) == delivery.MAX_ALERTS_IN_MESSAGE

    def test_the_kind_of_the_oldest_alert_is_sent_first(self) -> None:
        long_ago = timezone.now() - timedelta(hours=1)
        alerts.create_alert(Alert.Kind.CONNECTION_BROKEN, "1", "New.")
        alerts.create_alert(Alert.Kind.ACCOUNT_SUSPENDED, "2", "Old.")
        Alert.objects.filter(kind=Alert.Kind.ACCOUNT_SUSPENDED).update(created_at=long_ago)
        claimed = delivery._claim()
        assert claimed is not None
        assert [alert.text for alert in claimed[1]] == ["Old."]
