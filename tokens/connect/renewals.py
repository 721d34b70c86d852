"""Asking the contact of a connection to renew its login."""

from collections.abc import Collection, Iterable
from uuid import UUID

from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.db import transaction

from tokens.connect.links import MAX_DAYS, make_connect_link, revoke_connect_link
from tokens.locking import lock_connection
from tokens.models import Connection, ConnectLink
from tokens.permissions import System, require

PERMISSION = "tokens.connect_amazon"


def send_renewal_link(user: User | System, connection: Connection, mailing: UUID) -> ConnectLink:
    """Make a link that renews the connection, for its contact. `gather_mailing` puts it into the mail to the contact.

    The open links before it end when the mail is sent. The mail has the language of the last link to the contact. Raises
    PermissionDenied, and ValidationError if there is no contact, if the connection is disconnected, or if no link may
    be made.
    """
    require(user, PERMISSION, connection)
    with transaction.atomic():
        locked = lock_connection(user, PERMISSION, connection.pk)
        if locked.state == Connection.State.DISCONNECTED:
            raise ValidationError(locked.reason_unusable)
        if not locked.contact_email:
            raise ValidationError("It has no contact, so no link was sent. Add the contact first.")
        made, _ = make_connect_link(
            user,
            locked.team,
            label=locked.label,
            connection=locked,
            email=locked.contact_email,
            days=MAX_DAYS,
            language=find_language(locked.contact_email),
            owner=locked.owner,
            mailing=mailing,
        )
    return made


def find_language(address: str) -> str:
    """Return the language of the last link that was made for this address."""
    links = ConnectLink.objects.filter(email__iexact=address)
    return links.order_by("-created_at").values_list("language", flat=True).first() or "en"


def find_newest_links(user: User, connections: Collection[UUID]) -> dict[UUID, ConnectLink]:
    """Return the newest link to renew each of these connections with its progress, of those that the person may see."""
    links = ConnectLink.objects.visible_to(user).filter(connection__in=connections)
    newest = (
        links.with_progress()
        .select_related("mail")
        .order_by("connection_id", "-created_at", "-id")
        .distinct("connection_id")
    )
    return {link.connection_id: link for link in newest if link.connection_id}


@transaction.atomic
def make_renewal_links(
    user: User | System, connections: Iterable[Connection]
) -> list[tuple[ConnectLink, str]]:
    """Make a link to renew each of these connections, and end the open links before it; return them with their addresses.

    For those who pass the links on themselves: nobody can read an address again. Disconnected logins get none. Raises
    PermissionDenied and ValidationError; then no link is made.
    """
    require(user, PERMISSION)
    made = []
    for connection in connections:
        if connection.state == Connection.State.DISCONNECTED:
            continue
        before = list(ConnectLink.objects.open().filter(connection=connection))
        link, address = make_connect_link(
            user, connection.team, label=connection.label, connection=connection, days=MAX_DAYS
        )
        for each in before:
            revoke_connect_link(user, each)
        made.append((link, address or ""))
    return made
