"""The mails with renewal links: one person gets one a day, with all their logins in it.

The row of a mail is locked by whoever adds links to it, and by the worker that begins to send it. So no link is added
to a mail that is under way, and no two workers send one.
"""

import secrets
from collections import defaultdict
from collections.abc import Collection
from datetime import date, timedelta
from typing import Final
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import F, Q, QuerySet
from django.db.models.functions import Lower, Now
from procrastinate.contrib.django import app

from amazon_accounts.postgresql.clock import database_now
from tokens.connect.links import digest_token
from tokens.connect.renewal_text import write_renewal_mail
from tokens.mail import PRIORITY, send_or_try_again
from tokens.models import Connection, ConnectLink, RenewalMail
from tokens.models.renewal_mail import AddressDigest, today
from tokens.people.audit import Action, record_many
from tokens.permissions import SYSTEM
from tokens.queues import UPKEEP, defer_once

# Links and addresses of one statement.
CHUNK: Final = 500
# A mailing that was not gathered when it ended: its worker has died.
ABANDONED_AFTER: Final = timedelta(hours=1)


def gather_mailing(mailing: UUID) -> None:
    """Put the links of this mailing into the mails to their contacts, and queue these.

    Who has got a mail today gets the links tomorrow. Called at the end of the mailing, in its transaction.
    """
    _gather(ConnectLink.objects.filter(mailing=mailing, mail=None))


def gather_left_links() -> None:
    """Put the links of mailings that no mail has brought to their contacts into the mails of today."""
    began = Q(mail=None, created_at__lt=Now() - ABANDONED_AFTER) | Q(mail__day__lt=today())
    _gather(ConnectLink.objects.filter(began, mailing__isnull=False))


def queue_due_mails() -> int:
    """Queue the mails of today that wait; return how many there are."""
    due = list(RenewalMail.objects.due().values_list("pk", flat=True))
    for mail_id in due:
        _queue(mail_id)
    return len(due)


def lock_mails(addresses: Collection[str], day: date) -> dict[str, RenewalMail]:
    """Return the mails of this day to these addresses that nobody has begun to send, by digest of the address.

    They are made if there are none, and locked until the transaction of the caller ends.
    """
    ordered = sorted(addresses)
    RenewalMail.objects.bulk_create(
        [RenewalMail(address_digest=address, day=day) for address in ordered], ignore_conflicts=True
    )
    mails = RenewalMail.objects.unsent().filter(address_digest__in=ordered, day=day)
    return {mail.address_digest: mail for mail in mails.order_by("address_digest").select_for_update()}


@transaction.atomic
def _gather(links: QuerySet[ConnectLink]) -> None:
    waiting = links.filter(
        pk__in=ConnectLink.objects.open().filter(connection__isnull=False, mailed_at=None)
    ).exclude(email="")
    by_address: dict[str, dict[UUID, UUID]] = defaultdict(dict)
    doubled: list[UUID] = []
    addressed = waiting.annotate(address=AddressDigest("email")).order_by("created_at", "pk")
    for link_id, connection, address in addressed.values_list("pk", "connection", "address"):
        if earlier := by_address[address].pop(connection, None):
            doubled.append(earlier)
        by_address[address][connection] = link_id
    ConnectLink.objects.filter(pk__in=doubled).revoke()
    this_day = database_now().date()
    ordered = sorted(by_address)
    for first in range(0, len(ordered), CHUNK):
        addresses = ordered[first : first + CHUNK]
        mails = lock_mails(addresses, this_day)
        later = lock_mails(set(addresses) - set(mails), this_day + timedelta(days=1))
        for address, mail in {**mails, **later}.items():
            _put(by_address[address], mail)
        for mail in mails.values():
            _queue(mail.pk)


def _put(links: dict[UUID, UUID], mail: RenewalMail) -> None:
    """Put the links, by connection, into a mail that is locked, in the place of those that are in it."""
    before = ConnectLink.objects.filter(mail=mail, connection__in=links).exclude(pk__in=links.values())
    before.revoke()
    before.update(mail=None)
    ConnectLink.objects.filter(pk__in=links.values()).update(mail=mail)


def _queue(mail_id: UUID) -> None:
    defer_once(
        mail_renewal_links, f"{mail_renewal_links.name}:{mail_id}", priority=PRIORITY, mail_id=str(mail_id)
    )


# The tokens are made here, so that the queue stores none.
@app.task(queue=UPKEEP, name="tokens.mail_renewal_links", priority=PRIORITY)
def mail_renewal_links(mail_id: str, failures: int = 0) -> None:
    """Send the mail, unless it is not its day, another worker has begun to send it, or nobody needs it any more."""
    mails = RenewalMail.objects.filter(pk=mail_id)
    tokens = _begin(UUID(mail_id))
    if not tokens:
        return
    try:
        is_sent = send_or_try_again(write_renewal_mail(tokens), mail_renewal_links, failures, mail_id=mail_id)
    except OSError:
        mails.update(failed_at=Now())
        raise
    if is_sent:
        _record_sent(UUID(mail_id), [link.pk for link in tokens])
    else:
        mails.update(started_at=None)


@transaction.atomic
def _begin(mail_id: UUID) -> dict[ConnectLink, str]:
    """Take the mail and make its tokens; return its links with them. There are none if there is nothing to send."""
    # Committed before the mail leaves: whoever dies between the two leaves a mail that nobody sends again.
    if not RenewalMail.objects.due().filter(pk=mail_id).update(started_at=Now()):
        return {}
    needed = _find_needed(mail_id).select_related("team", "owner", "connection")
    tokens = {link: secrets.token_urlsafe(32) for link in needed.order_by("team__name", "label", "pk")}
    ConnectLink.objects.filter(mail=mail_id).exclude(pk__in=[link.pk for link in tokens]).revoke()
    if not tokens:
        # So that the person can still get another mail today.
        RenewalMail.objects.filter(pk=mail_id).delete()
        return {}
    for link, token in tokens.items():
        link.digest = digest_token(token)
    ConnectLink.objects.bulk_update(tokens, ["digest"], batch_size=CHUNK)
    return tokens


def _find_needed(mail_id: UUID) -> QuerySet[ConnectLink]:
    """Return the links of the mail that are still wanted: the login was not renewed, and has the same contact."""
    same_contact = Lower("connection__contact_email")
    not_renewed = Q(connection__consented_at=None) | Q(connection__consented_at__lt=F("created_at"))
    # Reminders have no mailing.
    still_wanted = Q(mailing__isnull=False) | Q(connection__paused=False, team__sends_reminders=True)
    of_mail = ConnectLink.objects.open().annotate(contact=same_contact, address=Lower("email"))
    return of_mail.filter(
        not_renewed,
        still_wanted,
        mail=mail_id,
        contact=F("address"),
        connection__client_id=settings.AMAZON_CLIENT_ID,
        connection__state__in=[Connection.State.ACTIVE, Connection.State.REAUTHORIZATION_REQUIRED],
    ).exclude(email="")


@transaction.atomic
def _record_sent(mail_id: UUID, links: Collection[UUID]) -> None:
    """Note that the mail was sent, and end the other links that renew its connections."""
    RenewalMail.objects.filter(pk=mail_id).update(mailed_at=Now())
    sent = ConnectLink.objects.filter(pk__in=links)
    # A login that was forgotten meanwhile has taken its address along.
    sent.exclude(email="").update(mailed_at=Now())
    older = ConnectLink.objects.open().filter(connection__in=sent.values("connection")).exclude(pk__in=links)
    ended = list(older.select_for_update())
    ConnectLink.objects.filter(pk__in=[link.pk for link in ended]).revoke()
    record_many(SYSTEM, Action.CONNECT_LINK_REVOKE, ended)
