"""The mail with the alerts that waited for it: the one mail of a day, or the mail after the quiet hours.

A process claims the mail under an id. If it dies or the mail server refuses the mail, the same mail is sent again under this id.
"""

import logging
from collections import defaultdict
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from django.conf import settings
from django.contrib.auth.models import User
from django.db import connection, transaction
from django.db.models import QuerySet
from django.db.models.functions import Now
from procrastinate.contrib.django import app
from uuid_utils.compat import uuid7

from amazon_accounts.postgresql.clock import database_now
from amazon_accounts.web.links import build_link
from tokens.alerts.messages import compose
from tokens.alerts.recipients import find_audience, gets_mail
from tokens.alerts.sending import DeliveryError, Mailer
from tokens.alerts.times import times_of
from tokens.models import Alert, AlertTimes, WaitingAlert
from tokens.queues import UPKEEP
from tokens.signals import changes_wanted

logger = logging.getLogger(__name__)

CLAIM: Final = timedelta(minutes=2)
MAX_RETRY_DELAY: Final = timedelta(hours=1)
# What no mail server takes for so many tries, about a day, is given up.
MAX_TRIES: Final = 30


@app.task(queue=UPKEEP, name="tokens.send_waiting_alerts", priority=10)
def send_waiting_alerts() -> int:
    """Send the mails that are due; return how many were taken."""
    sent = 0
    with Mailer() as mailer:
        while (times := _claim()) is not None:
            sent += _send(mailer, times)
    return sent


def waiting_mail_is_due() -> bool:
    return AlertTimes.objects.filter(next_mail_at__lte=Now()).exists()


@transaction.atomic
def _claim() -> AlertTimes | None:
    due = AlertTimes.objects.select_for_update(skip_locked=True).filter(next_mail_at__lte=Now())
    times = due.order_by("next_mail_at").first()
    if times is None:
        return None
    if times.message_id is None:
        times.message_id, times.message_until = uuid7(), database_now()
    times.tries += 1
    times.next_mail_at = database_now() + CLAIM
    times.save(update_fields=["message_id", "message_until", "tries", "next_mail_at"])
    return times


def _send(mailer: Mailer, times: AlertTimes) -> bool:
    user = times.user
    until = times.message_until or database_now()
    waiting = dict(WaitingAlert.objects.filter(user=user, created_at__lte=until).values_list("pk", "alert"))
    alerts = _find_alerts(user, waiting.values())
    gets_changes = times.digest_at is not None and settings.MAIL_ALERTS and gets_mail(user)
    changes = _find_changes(user, times.told_until, until) if gets_changes else []
    is_sent = False
    if alerts or changes:
        title, body = compose_daily(alerts, changes, is_daily=times.digest_at is not None)
        # No connection of the pool is held while a mail server takes its time.
        connection.close()
        try:
            mailer.send(user.email, title, body, message_id=f"{times.message_id}.{user.pk}")
            is_sent = True
        except DeliveryError as error:
            logger.warning("User %s did not get the mail of the day. %s", user.pk, error)
            if times.tries < MAX_TRIES:
                delay = min(timedelta(minutes=2 ** min(times.tries, 10)), MAX_RETRY_DELAY)
                _find_claimed(times).update(next_mail_at=Now() + delay)
                return False
    _finish(times, until, waiting)
    return is_sent


def _find_alerts(user: User, ids: Collection[UUID]) -> list[list[Alert]]:
    """Return those of these alerts that still concern the person, by kind."""
    by_kind: dict[str, list[Alert]] = defaultdict(list)
    for alert in Alert.objects.filter(pk__in=ids).order_by("created_at", "pk"):
        by_kind[alert.kind].append(alert)
    return [
        list(recipient.alerts)
        for alerts in by_kind.values()
        for recipient in find_audience(alerts).recipients
        if recipient.person_id == user.pk
    ]


def _find_changes(user: User, since: datetime, until: datetime) -> list[str]:
    answers = changes_wanted.send(sender=User, user=user, since=since, until=until)
    return [str(line) for _, lines in answers for line in lines or ()]


def compose_daily(
    by_kind: Sequence[Sequence[Alert]], changes: Sequence[str], *, is_daily: bool
) -> tuple[str, str]:
    """Return title and text of the mail with these alerts, and with what has changed."""
    number = sum(len(alerts) for alerts in by_kind)
    count = "1 alert" if number == 1 else f"{number:,} alerts"
    parts = []
    for alerts in by_kind:
        heading, text = compose(alerts)
        parts.append(f"{heading}\n{'-' * len(heading)}\n\n{text}")
    if changes:
        heading = "What has changed"
        parts.append("\n".join([heading, "-" * len(heading), "", *changes, "", build_link("/activity/")]))
    if not number:
        title = "What has changed in the last day"
    else:
        title = f"{count} of the last day" if is_daily else f"{count} of your quiet hours"
    return title, "\n\n\n".join(parts)


@transaction.atomic
def _finish(times: AlertTimes, until: datetime, told: Collection[UUID]) -> None:
    current = _find_claimed(times).select_for_update().first()
    # Not by time: what was stored by a slower transaction in the meantime was not in the mail.
    WaitingAlert.objects.filter(pk__in=told).delete()
    if current is None:
        return
    now = database_now()
    waits = WaitingAlert.objects.filter(user=times.user_id).exists()
    next_mail_at = times_of(current).find_next_mail(now) if current.digest_at or waits else None
    _find_claimed(times).update(
        message_id=None,
        message_until=None,
        tries=0,
        told_until=until,
        next_mail_at=next_mail_at or (now if waits else None),
    )


def _find_claimed(times: AlertTimes) -> QuerySet[AlertTimes]:
    return AlertTimes.objects.filter(user=times.user_id, message_id=times.message_id)
