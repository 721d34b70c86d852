"""Reminders before a consent ends: to the contact of the connection, with a link that renews it.

A reminder is owed from its day on until a link has been mailed to the contact. So it is late when no scheduler or mail
server was there, of several that are late only the last is sent, and a link that somebody sent meanwhile is enough.
"""

from collections import defaultdict
from collections.abc import Collection
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

from django.conf import settings
from django.contrib.auth.models import User
from django.db import connection as database
from django.db import transaction
from django.db.models.functions import Now
from procrastinate.contrib.django import app

from amazon_accounts.postgresql.clock import database_now
from amazon_accounts.postgresql.statements import load
from tokens.connect.links import MAX_DAYS
from tokens.connect.renewal_mails import CHUNK, gather_left_links, lock_mails, queue_due_mails
from tokens.connect.renewals import find_language
from tokens.models import Connection, ConnectLink, RenewalMail, Team, first_consent_with_end
from tokens.models.renewal_mail import PAUSE
from tokens.people.audit import Action, record_audit, record_many
from tokens.permissions import SYSTEM, System, require
from tokens.queues import UPKEEP

# Days before the consent ends.
REMINDER_DAYS: Final = (30, 14, 7, 3, 1)
SWITCH: Final = "tokens.manage_members"

FIND_REMINDERS = load(__file__, "find_reminders")


def plan_reminders() -> int:
    """Put the links of the reminders that are owed into the mails of today; return how many links these are.

    Each mail has all logins of the person whose consent ends soon.
    """
    owed = _find(None)
    addresses = sorted(owed)
    planned = 0
    for first in range(0, len(addresses), CHUNK):
        connections = [each for address in addresses[first : first + CHUNK] for each in owed[address]]
        planned += _plan(connections)
    return planned


@app.task(queue=UPKEEP, name="tokens.send_renewal_mails")
def send_renewal_mails() -> None:
    """Queue the mails that are due: with the reminders that are owed, and with links that were left over."""
    if not settings.EMAIL_IS_SET_UP:
        return
    gather_left_links()
    plan_reminders()
    queue_due_mails()


@transaction.atomic
def _plan(connections: Collection[UUID]) -> int:
    mails = lock_mails(_find(connections), database_now().date())
    # Read again under the locks: another worker may have planned or sent them.
    owed = _find(connections)
    taken = set(ConnectLink.objects.filter(mail__in=mails.values()).values_list("mail", "connection"))
    wanted = {
        connection: mail
        for address, mail in mails.items()
        for connection in owed.get(address, ())
        if (mail.pk, connection) not in taken
    }
    links = [
        _make_link(connection, wanted[connection.pk])
        for connection in Connection.objects.filter(pk__in=wanted).defer("access_token", "refresh_token")
    ]
    ConnectLink.objects.bulk_create(links)
    record_many(SYSTEM, Action.CONNECT_LINK_MAKE, links, after={"days": MAX_DAYS, "is_mailed": True})
    return len(links)


def _make_link(connection: Connection, mail: RenewalMail) -> ConnectLink:
    return ConnectLink(
        team_id=connection.team_id,
        owner_id=connection.owner_id,
        label=connection.label,
        connection=connection,
        email=connection.contact_email,
        language=find_language(connection.contact_email),
        regions=connection.regions,
        mail=mail,
        ends_at=Now() + timedelta(days=MAX_DAYS),
    )


def _find(connections: Collection[UUID] | None) -> dict[str, list[UUID]]:
    """Return the connections of the reminders that are owed, by the digest of the address of their contact."""
    parameters: dict[str, Any] = {
        "client": settings.AMAZON_CLIENT_ID,
        "life": timedelta(days=settings.CONSENT_DAYS),
        "first_with_end": first_consent_with_end(),
        "days": list(REMINDER_DAYS),
        "pause": PAUSE,
        "connections": None if connections is None else list(connections),
    }
    found: dict[str, list[UUID]] = defaultdict(list)
    with database.cursor() as cursor:
        cursor.execute(FIND_REMINDERS, parameters)
        for address, connection in cursor.fetchall():
            found[address].append(connection)
    return found


@transaction.atomic
def switch_reminders(user: User | System, team: Team, *, on: bool) -> bool:
    """Let the contacts of the team get reminders, or none; return whether this changed it. Raises PermissionDenied."""
    require(user, SWITCH, team)
    changed = Team.objects.filter(pk=team.pk).exclude(sends_reminders=on).update(sends_reminders=on)
    team.sends_reminders = on
    if changed:
        record_audit(user, Action.TEAM_REMINDERS, team, after={"sends_reminders": on})
    return bool(changed)
