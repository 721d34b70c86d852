"""Sending alerts, in messages to everybody whom they concern.

Alerts of one kind that are due together are one message. Each recipient gets it with the alerts that concern them. A
process claims the alerts under a message id before it sends the message, and stores at once who has taken it. If it dies
then, the same message is sent again under the same id, when the claim has run out, to those who have not taken it.
"""

import logging
import time
from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from django.db import connection, transaction
from django.db.models import F, Q, QuerySet
from django.db.models.functions import Now
from procrastinate.contrib.django import app
from uuid_utils.compat import uuid7

from amazon_accounts.postgresql.clock import approximate_now
from tokens.alerts.messages import compose
from tokens.alerts.recipients import Recipient, find_audience
from tokens.alerts.sending import DeliveryError, Mailer, notify
from tokens.alerts.times import find_waits, let_wait
from tokens.encryption import DecryptionError, Secret
from tokens.models import Alert, AlertDelivery
from tokens.queues import UPKEEP

logger = logging.getLogger(__name__)

CLAIM: Final = timedelta(minutes=2)
# Many recipients take longer than a claim lasts.
RENEW_CLAIM_AFTER_SECONDS: Final = 30.0
# After a message, further alerts of its kind are gathered for this time.
QUIET: Final = timedelta(minutes=10)
MAX_RETRY_DELAY: Final = timedelta(hours=1)
# When one recipient has the message, the failing recipients are tried again for this time.
GIVE_UP_AFTER: Final = timedelta(days=1)
MAX_ALERTS_IN_MESSAGE: Final = 500
MAX_PROBLEMS: Final = 5

NOBODY: Final = "Nobody who may see it has an e-mail address, and ALERT_URLS names no other way."


# The worker runs it before the syncs that wait for the same slots.
@app.task(queue=UPKEEP, name="tokens.send_alerts", priority=10)
def send_due_alerts() -> int:
    """Send what is due; return how many messages reached all their recipients."""
    sent = 0
    while (message := _claim()) is not None:
        sent += _deliver(*message)
    return sent


def due_alerts_exist() -> bool:
    return Alert.objects.filter(next_try_at__lte=Now()).exists()


def send_without_rows(alert: Alert) -> bool:
    """Send an alert that cannot be stored, because the database takes no rows; return whether anybody took it."""
    taken = False
    with Mailer() as mailer:
        for recipient in find_audience([alert]).recipients:
            try:
                _send(mailer, alert.pk, recipient)
            except DeliveryError as error:
                logger.warning("An alert could not be sent: %s", error)
            else:
                taken = True
    return taken


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
    audience = find_audience(alerts)
    unwanted = [alert.pk for alert in audience.unwanted]
    _find_claimed(message_id).filter(pk__in=unwanted).update(next_try_at=None, error="")
    taken = set(AlertDelivery.objects.filter(message_id=message_id).values_list("recipient", flat=True))
    problems: dict[UUID, list[str]] = defaultdict(list)
    waits = find_waits([each.person_id for each in audience.recipients if each.person_id is not None])
    for alert in audience.unreachable:
        problems[alert.pk].append(NOBODY)
    renewed_at = time.monotonic()
    with Mailer() as mailer:
        for recipient in audience.recipients:
            if recipient.key in taken:
                continue
            if time.monotonic() - renewed_at > RENEW_CLAIM_AFTER_SECONDS:
                _find_claimed(message_id).update(next_try_at=Now() + CLAIM)
                renewed_at = time.monotonic()
            if recipient.person_id in waits:
                _record(message_id, recipient, waits_until=waits[recipient.person_id])
                continue
            # No connection of the pool is held while a mail server takes its time.
            connection.close()
            try:
                _send(mailer, message_id, recipient)
            except DeliveryError as error:
                for alert in recipient.alerts:
                    problems[alert.pk].append(str(error))
            else:
                _record(message_id, recipient)
    _finish(message_id, alerts, problems)
    return bool(audience.recipients) and not problems


def _send(mailer: Mailer, message_id: UUID, recipient: Recipient) -> None:
    title, body = compose(recipient.alerts)
    address = recipient.address
    if isinstance(address, Secret):
        try:
            address = address.reveal()
        except DecryptionError as error:
            raise DeliveryError(
                f"{recipient.name[:1].upper()}{recipient.name[1:]} cannot be read. {error}"
            ) from error
    if recipient.person_id is None:
        notify(address, recipient.name, title, body)
        return
    try:
        # Two people may have one mailbox, which keeps one of two messages with the same id.
        mailer.send(address, title, body, message_id=f"{message_id}.{recipient.person_id}")
    except DeliveryError:
        logger.warning("User %s did not get the message %s.", recipient.person_id, message_id)
        raise


def _record(message_id: UUID, recipient: Recipient, *, waits_until: datetime | None = None) -> None:
    # Stored at once: if the process dies at the next recipient, this one does not get the message again.
    with transaction.atomic():
        AlertDelivery.objects.bulk_create(
            [AlertDelivery(message_id=message_id, recipient=recipient.key)], ignore_conflicts=True
        )
        ids = [alert.pk for alert in recipient.alerts]
        Alert.objects.filter(pk__in=ids, told_at=None).update(told_at=Now())
        if waits_until is not None and recipient.person_id is not None:
            let_wait(recipient.person_id, recipient.alerts, waits_until)


def _finish(message_id: UUID, alerts: Sequence[Alert], problems: dict[UUID, list[str]]) -> None:
    by_error: dict[str, list[Alert]] = defaultdict(list)
    for alert in alerts:
        by_error[_join(problems.get(alert.pk, []))].append(alert)
    for error, those in by_error.items():
        claimed = _find_claimed(message_id).filter(pk__in=[alert.pk for alert in those])
        if not error:
            claimed.update(sent_at=Now(), next_try_at=None, error="")
            continue
        logger.warning("An alert could not be sent: %s", error)
        given_up = approximate_now() - GIVE_UP_AFTER
        claimed.filter(told_at__lt=given_up).update(sent_at=F("told_at"), next_try_at=None, error=error)
        tries = max(alert.tries for alert in those) + 1
        retry = min(timedelta(minutes=2 ** min(tries, 10)), MAX_RETRY_DELAY)
        claimed.update(next_try_at=Now() + retry, error=error)
        if error == NOBODY:
            # It goes into another message, because somebody who has taken this one may be the first who can get it.
            claimed.update(message_id=None)


def _join(problems: Sequence[str]) -> str:
    different = list(dict.fromkeys(problems))
    more = len(different) - MAX_PROBLEMS
    return " ".join([*different[:MAX_PROBLEMS], *([f"And {more} more problems."] if more > 0 else [])])


def _find_claimed(message_id: UUID) -> QuerySet[Alert]:
    # An alert that was erased meanwhile is not tried again.
    return Alert.objects.filter(message_id=message_id, sent_at=None, next_try_at__isnull=False)
