import json
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from smtplib import SMTPException
from threading import Thread
from types import SimpleNamespace
from typing import Any, cast

import pytest
from django.conf import LazySettings
from django.contrib.auth.models import User
from django.core import mail
from django.core.mail.backends.locmem import EmailBackend
from django.db.models import F
from django.utils import timezone
from procrastinate import JobContext

from amazon_accounts.amazon_ads.client import AmazonClient
from amazon_accounts.amazon_ads.errors import ApplicationRefusedError
from amazon_accounts.amazon_ads.models import ApplicationRefusal
from amazon_accounts.amazon_ads.pacing import application
from amazon_accounts.postgresql.clock import database_now
from amazon_accounts.postgresql.threads import in_thread
from tests.sandbox_fixtures import SandboxServer
from tests.tokens.conftest import ConnectionFactory
from tokens.alerts import create as alerts
from tokens.alerts import delivery, messages
from tokens.connect import consent
from tokens.models import Alert, Connection, TokenRefresh
from tokens.queues import TOKENS
from tokens.refresh.tasks import refresh_due_tokens

pytestmark = pytest.mark.django_db(transaction=True)


class FailingBackend(EmailBackend):
    def send_messages(self, messages: Any) -> int:
        raise SMTPException("no room")


class DyingBackend(EmailBackend):
    """Takes the message, then ends the process."""

    def send_messages(self, messages: Any) -> int:
        super().send_messages(messages)
        raise KeyboardInterrupt


def let_claims_run_out() -> None:
    Alert.objects.filter(sent_at=None).update(next_try_at=timezone.now())


def let_quiet_end() -> None:
    quiet = timezone.now() - delivery.QUIET
    Alert.objects.filter(sent_at__isnull=False).update(sent_at=quiet, told_at=quiet)


def test_connections_that_break_together_are_one_message(connect: ConnectionFactory) -> None:
    for number in range(25):
        alerts.alert_connection_broken(connect(label=f"Shop {number}"))
    assert delivery.send_due_alerts() == 1
    (message,) = mail.outbox
    assert message.to == ["alice@example.test"]
    assert message.subject == "Amazon refuses 25 logins"
    assert "“Shop 0”" in message.body
    assert "And 15 more." in message.body
    assert delivery.send_due_alerts() == 0
    assert not delivery.due_alerts_exist()


def test_an_alert_that_was_sent_is_not_sent_again(connect: ConnectionFactory) -> None:
    connection = connect()
    alerts.alert_connection_broken(connection)
    alerts.alert_connection_broken(connection)
    delivery.send_due_alerts()
    alerts.alert_connection_broken(connection)
    let_quiet_end()
    delivery.send_due_alerts()
    assert len(mail.outbox) == 1


def test_many_alerts_of_one_kind_are_one_message_in_ten_minutes(connect: ConnectionFactory) -> None:
    alerts.alert_connection_broken(connect(label="First"))
    delivery.send_due_alerts()
    alerts.alert_connection_broken(connect(label="Second"))
    alerts.alert_connection_broken(connect(label="Third"))
    alerts.alert_connection_healed(connect(label="Fourth"))
    assert delivery.send_due_alerts() == 1  # an alert of another kind does not wait
    let_quiet_end()
    delivery.send_due_alerts()
    assert [message.subject for message in mail.outbox] == [
        "Amazon refuses a login",
        "A login is connected again",
        "Amazon refuses 2 logins",
    ]


def test_a_message_that_could_not_be_sent_is_tried_again(
    connect: ConnectionFactory, settings: LazySettings
) -> None:
    alerts.alert_connection_broken(connect())
    settings.EMAIL_BACKEND = "tests.tokens.alerts.test_alerts.FailingBackend"
    assert delivery.send_due_alerts() == 0
    alert = Alert.objects.get()
    assert "no room" in alert.error
    assert alert.next_try_at is not None
    assert alert.next_try_at > timezone.now() + timedelta(minutes=1)

    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
    let_claims_run_out()
    assert delivery.send_due_alerts() == 1
    assert Alert.objects.get().error == ""


def test_a_process_that_dies_before_sending_loses_nothing(connect: ConnectionFactory) -> None:
    alerts.alert_connection_broken(connect())
    assert delivery._claim() is not None
    assert delivery.send_due_alerts() == 0  # the other process may still be sending
    let_claims_run_out()
    assert delivery.send_due_alerts() == 1
    assert len(mail.outbox) == 1


def test_a_process_that_dies_while_sending_sends_the_same_message_again(
    connect: ConnectionFactory, settings: LazySettings
) -> None:
    alerts.alert_connection_broken(connect(label="First"))
    settings.EMAIL_BACKEND = "tests.tokens.alerts.test_alerts.DyingBackend"
    with pytest.raises(KeyboardInterrupt):
        delivery.send_due_alerts()
    # A new alert goes into another message.
    alerts.alert_connection_broken(connect(label="Second"))
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
    let_claims_run_out()
    delivery.send_due_alerts()
    first, again = mail.outbox[:2]
    assert again.extra_headers["Message-ID"] == first.extra_headers["Message-ID"]
    assert again.body == first.body


def test_an_alert_without_a_recipient_says_so(connect: ConnectionFactory) -> None:
    User.objects.update(email="")
    alerts.alert_connection_broken(connect())
    assert delivery.send_due_alerts() == 0
    assert "Nobody who may see it has an e-mail address" in Alert.objects.get().error


def test_it_sends_by_apprise(
    connect: ConnectionFactory, sandbox_server: SandboxServer, settings: LazySettings
) -> None:
    host = sandbox_server.url.removeprefix("http://")
    settings.ALERT_URLS = [f"json://{host}/nowhere"]
    settings.MAIL_ALERTS = False  # as without EMAIL_URL
    alerts.alert_connection_broken(connect())
    assert delivery.send_due_alerts() == 0  # the sandbox has no such path
    assert "Apprise could not reach address number 1" in Alert.objects.get().error
    assert not mail.outbox
    settings.ALERT_URLS = ["nonsense"]
    let_claims_run_out()
    assert delivery.send_due_alerts() == 0
    assert Alert.objects.get().error == "Apprise does not understand address number 1 in ALERT_URLS."


@dataclass
class Address:
    """An address in ALERT_URLS, and the titles of the messages that it received."""

    url: str = ""
    status: int = HTTPStatus.OK
    titles: list[str] = field(default_factory=list)


def make_handler(address: Address) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            content = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            address.titles.append(content["title"])
            self.send_response(address.status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    return Handler


@pytest.fixture
def addresses(settings: LazySettings) -> Iterator[list[Address]]:
    """Two addresses for Apprise, each with its own server, and no mail."""
    settings.MAIL_ALERTS = False
    made = [Address(), Address()]
    with ExitStack() as stack:
        for address in made:
            server = stack.enter_context(ThreadingHTTPServer(("127.0.0.1", 0), make_handler(address)))
            Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
            stack.callback(server.shutdown)
            address.url = f"json://user:hunter2@127.0.0.1:{server.server_port}/"
        yield made


def test_an_address_that_took_a_message_does_not_get_it_again(
    connect: ConnectionFactory,
    addresses: list[Address],
    settings: LazySettings,
    caplog: pytest.LogCaptureFixture,
) -> None:
    failing, good = addresses
    failing.status = HTTPStatus.INTERNAL_SERVER_ERROR
    settings.ALERT_URLS = [failing.url, "nonsense://hunter2", good.url]
    alerts.alert_connection_broken(connect())
    for tries in range(1, 4):
        assert delivery.send_due_alerts() == 0
        assert (len(failing.titles), len(good.titles)) == (tries, 1)
        let_claims_run_out()
    alert = Alert.objects.get()
    assert alert.error == (
        "Apprise could not reach address number 1 in ALERT_URLS. "
        "Apprise does not understand address number 2 in ALERT_URLS."
    )
    assert alert.error in caplog.text
    assert "hunter2" not in caplog.text
    assert "hunter2" not in str(Alert.objects.values().get())

    failing.status = HTTPStatus.OK
    settings.ALERT_URLS = [failing.url, good.url]
    assert delivery.send_due_alerts() == 1
    assert (len(failing.titles), len(good.titles)) == (4, 1)
    assert not delivery.due_alerts_exist()


def test_many_alerts_are_one_message_although_an_address_fails(
    connect: ConnectionFactory, addresses: list[Address], settings: LazySettings
) -> None:
    failing, good = addresses
    failing.status = HTTPStatus.INTERNAL_SERVER_ERROR
    settings.ALERT_URLS = [failing.url, good.url]
    alerts.alert_connection_broken(connect(label="First"))
    delivery.send_due_alerts()
    alerts.alert_connection_broken(connect(label="Second"))
    alerts.alert_connection_broken(connect(label="Third"))
    delivery.send_due_alerts()
    assert good.titles == ["Amazon refuses a login"]
    Alert.objects.exclude(told_at=None).update(told_at=timezone.now() - delivery.QUIET)
    delivery.send_due_alerts()
    assert good.titles == ["Amazon refuses a login", "Amazon refuses 2 logins"]


def test_a_message_that_one_address_took_is_given_up_after_a_day_of_failures_at_another(
    connect: ConnectionFactory, addresses: list[Address], settings: LazySettings
) -> None:
    failing, good = addresses
    failing.status = HTTPStatus.INTERNAL_SERVER_ERROR
    settings.ALERT_URLS = [failing.url, good.url]
    alerts.alert_connection_broken(connect())
    delivery.send_due_alerts()
    Alert.objects.update(told_at=timezone.now() - delivery.GIVE_UP_AFTER - timedelta(minutes=1))
    let_claims_run_out()
    delivery.send_due_alerts()
    assert (len(failing.titles), len(good.titles)) == (2, 1)
    alert = Alert.objects.get()
    assert alert.next_try_at is None
    assert alert.sent_at == alert.told_at
    assert "could not reach address number 1" in alert.error


def test_people_get_mail_beside_the_addresses_of_the_installation(
    connect: ConnectionFactory, addresses: list[Address], settings: LazySettings
) -> None:
    failing, good = addresses
    failing.status = HTTPStatus.INTERNAL_SERVER_ERROR
    settings.ALERT_URLS = [failing.url, good.url]
    settings.MAIL_ALERTS = True
    alerts.alert_connection_broken(connect())
    delivery.send_due_alerts()
    let_claims_run_out()
    delivery.send_due_alerts()
    assert (len(failing.titles), len(good.titles), len(mail.outbox)) == (2, 1, 1)


@pytest.mark.parametrize("kind", Alert.Kind.values)
def test_every_kind_has_a_title(kind: str) -> None:
    one, many = messages.TITLES[Alert.Kind(kind)]
    assert one
    assert many.format(count=2)


def test_a_refused_application_is_reported_once_and_so_is_its_acceptance(
    connect: ConnectionFactory, settings: LazySettings
) -> None:
    pair = settings.AMAZON_CLIENT_ID, settings.AMAZON_CLIENT_SECRET
    alerts.alert_application()
    assert not Alert.objects.exists()
    for _ in range(3):
        application.record_refusal(*pair, ApplicationRefusedError("No.", status=401, code="invalid_client"))
        alerts.alert_application()
    assert [alert.kind for alert in Alert.objects.all()] == ["application_refused"]
    assert "No connection is at fault" in Alert.objects.get().text

    application.record_acceptance(*pair)
    alerts.alert_application()
    assert Alert.objects.count() == 1  # nothing has succeeded yet
    TokenRefresh.objects.create(
        connection=connect(),
        grant_version=1,
        trigger="scheduled",
        outcome="succeeded",
        finished_at=timezone.now() + timedelta(seconds=1),
    )
    for _ in range(2):
        alerts.alert_application()
    assert [alert.kind for alert in Alert.objects.all()] == ["application_accepted", "application_refused"]


def record_refusal_and_die(settings: LazySettings) -> None:
    pair = settings.AMAZON_CLIENT_ID, settings.AMAZON_CLIENT_SECRET
    application.record_refusal(*pair, ApplicationRefusedError("No.", status=401, code="invalid_client"))
    long_ago = timezone.now() - timedelta(hours=1)
    ApplicationRefusal.objects.update(refused_since=long_ago, last_refused_at=long_ago, probed_at=long_ago)


async def test_a_refusal_recorded_by_a_dying_worker_is_reported_although_the_next_check_lifts_it(
    connect: ConnectionFactory, amazon: AmazonClient, settings: LazySettings
) -> None:
    await in_thread(connect)()
    await in_thread(record_refusal_and_die)(settings)
    context = cast("JobContext", SimpleNamespace(additional_context={"amazon": amazon}))
    await refresh_due_tokens(context)
    assert not await in_thread(ApplicationRefusal.objects.exists)()
    kinds = await in_thread(lambda: [alert.kind for alert in Alert.objects.all()])()
    assert kinds == ["application_accepted", "application_refused"]


def test_a_refusal_is_recognized_by_the_time_it_began(settings: LazySettings) -> None:
    """In a restored database, a new refusal may have the id of an earlier refusal."""
    for _ in range(2):
        record_refusal_and_die(settings)
        ApplicationRefusal.objects.update(id=1)
        for _ in range(2):
            alerts.alert_application()
        ApplicationRefusal.objects.all().delete()
    assert Alert.objects.filter(kind=Alert.Kind.APPLICATION_REFUSED).count() == 2


@pytest.mark.parametrize(
    ("days_left", "term"),
    [(40, None), (29.5, 30), (8, 30), (6.5, 7), (2, 7), (0.5, 1), (-1, None)],
)
def test_it_warns_before_a_consent_ends(
    connect: ConnectionFactory, settings: LazySettings, days_left: float, term: int | None
) -> None:
    settings.CONSENT_EFFECTIVE_DATE = datetime(2020, 1, 1, tzinfo=UTC).date()
    consented_at = timezone.now() - timedelta(days=settings.CONSENT_DAYS - days_left)
    connection = connect(consented_at=consented_at)
    for _ in range(2):
        consent.warn_of_consent_ends()
    ends_on = timezone.now() + timedelta(days=days_left)
    keys = [f"consent_ending:{connection.pk}:{ends_on:%Y-%m-%d}:{term}"] if term else []
    assert list(Alert.objects.values_list("key", flat=True)) == keys


@pytest.mark.usefixtures("wrong_clock")
def test_the_clock_of_the_process_brings_no_warning_forward_or_back(
    connect: ConnectionFactory, settings: LazySettings
) -> None:
    settings.CONSENT_EFFECTIVE_DATE = datetime(2020, 1, 1, tzinfo=UTC).date()
    consent_ends_in = {
        "a minute late": timedelta(days=30, minutes=1),
        "in time": timedelta(days=29, hours=23.9),
    }
    for label, left in consent_ends_in.items():
        connect(label=label, consented_at=database_now() - timedelta(days=settings.CONSENT_DAYS) + left)
    consent.warn_of_consent_ends()
    assert [alert.connection and alert.connection.label for alert in Alert.objects.all()] == ["in time"]


def test_old_and_unknown_consents_never_end(connect: ConnectionFactory, settings: LazySettings) -> None:
    settings.CONSENT_DAYS = 30
    settings.CONSENT_EFFECTIVE_DATE = timezone.now().date()
    old = connect(consented_at=timezone.now() - timedelta(days=29))
    unknown = connect(consented_at=None)
    assert old.consent_ends_at is None
    assert unknown.consent_ends_at is None
    assert consent.warn_of_consent_ends() == 0


def test_a_new_consent_gets_its_own_warning(connect: ConnectionFactory, settings: LazySettings) -> None:
    settings.CONSENT_EFFECTIVE_DATE = datetime(2020, 1, 1, tzinfo=UTC).date()
    connect(consented_at=timezone.now() - timedelta(days=settings.CONSENT_DAYS - 5))
    consent.warn_of_consent_ends()
    Connection.objects.update(consented_at=timezone.now() - timedelta(days=settings.CONSENT_DAYS - 6))
    consent.warn_of_consent_ends()
    assert Alert.objects.count() == 2


def test_a_consent_gets_one_warning_although_its_token_is_imported_each_night(
    connect: ConnectionFactory, settings: LazySettings
) -> None:
    settings.CONSENT_EFFECTIVE_DATE = datetime(2020, 1, 1, tzinfo=UTC).date()
    connect(consented_at=timezone.now() - timedelta(days=settings.CONSENT_DAYS - 5))
    for _ in range(3):
        consent.warn_of_consent_ends()
        Connection.objects.update(grant_version=F("grant_version") + 1)
    assert Alert.objects.count() == 1


def test_a_mail_server_that_hangs_does_not_delay_refreshes() -> None:
    assert delivery.send_due_alerts.queue != TOKENS
    # In the other lane, alerts run before waiting syncs.
    assert delivery.send_due_alerts.priority > 0
