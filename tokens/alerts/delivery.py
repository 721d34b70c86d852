"""Sending alerts: by Apprise to ALERT_URLS, or as mail to the staff.

Alerts of one kind that are due together are one message. A process claims them under a message id before it sends
the message. If it dies then, the same message is sent again under the same id when the claim has run out. Each
address in ALERT_URLS is tried on its own.
"""

import logging
from collections.abc import Sequence
from contextvars import ContextVar
from datetime import timedelta
from smtplib import SMTPException
from urllib.parse import urlsplit
from uuid import UUID

from django.conf import settings
from django.contrib.auth.models import User
from django.core.mail import EmailMessage
from django.db import connection, transaction
from django.db.models import F, Q, QuerySet
from django.db.models.functions import Coalesce, Now
from django.utils.crypto import salted_hmac
from procrastinate.contrib.django import app
from uuid_utils.compat import uuid7

from amazon_accounts.postgresql.clock import approximate_now
from amazon_accounts.web.links import build_link
from tokens.models import Alert
from tokens.queues import UPKEEP

logger = logging.getLogger(__name__)

CLAIM = timedelta(minutes=2)
# After a message, further alerts of its kind are gathered for this time.
QUIET = timedelta(minutes=10)
MAX_RETRY_DELAY = timedelta(hours=1)
# When one address has the message, the failing addresses are tried again for this time.
GIVE_UP_AFTER = timedelta(days=1)
MAX_ALERTS_IN_MESSAGE = 500
MAX_LINES = 10

TITLES = {
    Alert.Kind.CONNECTION_BROKEN: ("Amazon refuses a login", "Amazon refuses {count} logins"),
    Alert.Kind.CONNECTION_HEALED: ("A login is connected again", "{count} logins are connected again"),
    Alert.Kind.APPLICATION_REFUSED: ("Amazon refuses our application",) * 2,
    Alert.Kind.APPLICATION_ACCEPTED: ("Amazon accepts our application again",) * 2,
    Alert.Kind.CONSENT_ENDING: ("A consent ends soon", "{count} consents end soon"),
    Alert.Kind.ACCOUNT_SUSPENDED: (
        "Amazon has suspended an account",
        "Amazon has suspended {count} accounts",
    ),
    Alert.Kind.ACCOUNT_RESTORED: (
        "An account can advertise again",
        "{count} accounts can advertise again",
    ),
    Alert.Kind.SUSPENSION_ANNOUNCED: (
        "Amazon will suspend an account",
        "Amazon will suspend {count} accounts",
    ),
    Alert.Kind.PAYMENT_METHOD_ENDING: (
        "A payment method ends soon",
        "Payment methods of {count} accounts end soon",
    ),
    Alert.Kind.API_KEY_ENDING: ("An API key ends soon", "{count} API keys end soon"),
}
# Where a message leads that names only some of many.
PAGES = {
    Alert.Kind.ACCOUNT_SUSPENDED: "/accounts/?status=suspended",
    Alert.Kind.SUSPENSION_ANNOUNCED: "/accounts/?standing=at_risk",
    Alert.Kind.PAYMENT_METHOD_ENDING: "/accounts/?standing=at_risk",
    Alert.Kind.API_KEY_ENDING: "/keys/",
}


# Whether Apprise parses an address in this thread.
_parsing_address: ContextVar[bool] = ContextVar("parsing an address", default=False)


class _AddressFilter(logging.Filter):
    """Drops what Apprise logs about an address that it does not understand: it logs the address with its secrets."""

    def filter(self, _record: logging.LogRecord) -> bool:
        return not _parsing_address.get()


logging.getLogger("apprise").addFilter(_AddressFilter())


class DeliveryError(Exception):
    """The message could not be sent."""


# The worker runs it before the syncs that wait for the same slots.
@app.task(queue=UPKEEP, name="tokens.send_alerts", priority=10)
def send_due_alerts() -> int:
    sent = 0
    while (message := _claim()) is not None:
        sent += _deliver(*message)
    return sent


def due_alerts_exist() -> bool:
    return Alert.objects.filter(next_try_at__lte=Now()).exists()


def _claim() -> tuple[UUID, list[Alert]] | None:
    # A message that failed before goes first, under its old id.
    with transaction.atomic():
        due = Alert.objects.select_for_update(skip_locked=True).filter(next_try_at__lte=Now())
        again = due.filter(message_id__isnull=False).order_by("next_try_at").first()
        if again is not None:
            alerts = list(due.filter(message_id=again.message_id).order_by("created_at"))
            message_id = again.message_id
        else:
            alerts = _gather(due)
            message_id = uuid7()
        if not alerts or message_id is None:
            return None
        Alert.objects.filter(pk__in=[alert.pk for alert in alerts]).update(
            message_id=message_id, next_try_at=Now() + CLAIM, tries=F("tries") + 1
        )
    return message_id, alerts


def _gather(due: QuerySet[Alert]) -> list[Alert]:
    # A kind that was sent a moment ago stays quiet for a while. Its new alerts become one message then.
    since = Now() - QUIET
    recent = Alert.objects.filter(Q(sent_at__gt=since) | Q(told_at__gt=since)).values("kind")
    oldest = due.exclude(kind__in=recent).order_by("created_at").first()
    if oldest is None:
        return []
    return list(due.filter(kind=oldest.kind, message_id=None).order_by("created_at")[:MAX_ALERTS_IN_MESSAGE])


def _deliver(message_id: UUID, alerts: Sequence[Alert]) -> bool:
    title, body = compose(alerts)
    recipients = [] if settings.ALERT_URLS else _staff_addresses()
    # No connection of the pool is held while a mail server takes its time.
    connection.close()
    claimed = Alert.objects.filter(message_id=message_id, sent_at=None)
    try:
        if settings.ALERT_URLS:
            _notify(claimed, title, body, taken_by=alerts[0].taken_by)
        else:
            _mail(message_id, title, body, recipients)
    except DeliveryError as error:
        logger.warning("An alert could not be sent: %s", error)
        told_at = alerts[0].told_at
        if told_at is not None and told_at < approximate_now() - GIVE_UP_AFTER:
            claimed.update(sent_at=told_at, next_try_at=None, error=str(error))
            return False
        tries = max(alert.tries for alert in alerts) + 1
        retry = min(timedelta(minutes=2 ** min(tries, 10)), MAX_RETRY_DELAY)
        claimed.update(next_try_at=Now() + retry, error=str(error))
        return False
    claimed.update(sent_at=Now(), next_try_at=None, error="")
    return True


def compose(alerts: Sequence[Alert]) -> tuple[str, str]:
    """Return title and text of one message for alerts of one kind."""
    kind = Alert.Kind(alerts[0].kind)
    one, many = TITLES[kind]
    title = one if len(alerts) == 1 else many.format(count=len(alerts))
    lines = [alert.text for alert in alerts[:MAX_LINES]]
    if len(alerts) > MAX_LINES:
        lines.append(f"And {len(alerts) - MAX_LINES} more.")
    return title, "\n\n".join([*lines, build_link(PAGES.get(kind, "/"))])


def _staff_addresses() -> list[str]:
    staff = User.objects.filter(is_active=True, is_staff=True).exclude(email="")
    return list(staff.values_list("email", flat=True).order_by("email"))


def _mail(message_id: UUID, title: str, body: str, recipients: list[str]) -> None:
    if not recipients:
        raise DeliveryError("No staff user has an e-mail address, and ALERT_URLS names no other way.")
    host = urlsplit(settings.PUBLIC_URL).hostname or "localhost"
    message = EmailMessage(
        subject=title, body=body, to=recipients, headers={"Message-ID": f"<{message_id}@{host}>"}
    )
    try:
        message.send()
    except (SMTPException, OSError) as error:
        raise DeliveryError(f"The mail server did not take it ({type(error).__name__}: {error}).") from error


def _notify(claimed: QuerySet[Alert], title: str, body: str, *, taken_by: Sequence[str]) -> None:
    taken = list(taken_by)
    problems = []
    for number, address in enumerate(settings.ALERT_URLS, start=1):
        digest = salted_hmac("tokens.delivery.address", address, algorithm="sha256").hexdigest()
        if digest in taken:
            continue
        try:
            _notify_one(address, f"address number {number} in ALERT_URLS", title, body)
        except DeliveryError as error:
            problems.append(str(error))
        else:
            # Stored at once: if the process dies at the next address, this one does not get the message again.
            taken.append(digest)
            claimed.update(taken_by=taken, told_at=Coalesce("told_at", Now()))
            connection.close()
    if problems:
        raise DeliveryError(" ".join(problems))


def _notify_one(address: str, name: str, title: str, body: str) -> None:
    # Imported here, because Apprise loads over a hundred plugins, and most processes never send an alert.
    import apprise

    notifier = apprise.Apprise()
    token = _parsing_address.set(True)
    try:
        understood = notifier.add(address)
    finally:
        _parsing_address.reset(token)
    if not understood:
        raise DeliveryError(f"Apprise does not understand {name}.")
    if not notifier.notify(title=title, body=body):
        raise DeliveryError(f"Apprise could not reach {name}.")
