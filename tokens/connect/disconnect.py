"""What is done with a connection that is neither connecting nor refreshing it."""

from uuid import UUID

from django.contrib.auth.models import User
from django.db import transaction
from django.utils import timezone

from tokens.alerts import create as alerts
from tokens.models import Connection, ConnectionQuerySet
from tokens.people.permissions import require
from tokens.signals import connection_changed

# Where a person takes back the consent itself, which we cannot do for them: Amazon has no way to revoke it.
CONSENT_AT_AMAZON = "https://www.amazon.com/ap/adam"


def refuse(connection: Connection, error: str) -> bool:
    """Mark a connection that Amazon refuses; no call is made for it until its owner reconnects it.

    False if it is not the grant any more that was refused.
    """
    live = Connection.objects.active().filter(grant_version=connection.grant_version)
    with transaction.atomic():
        return mark_refused(live, connection.pk, error)


def mark_refused(among: ConnectionQuerySet, connection_id: UUID, error: str) -> bool:
    """Mark it if it is among these, and tell its people. Part of the transaction around it."""
    marked = among.filter(pk=connection_id).update(
        state=Connection.State.REAUTHORIZATION_REQUIRED,
        next_refresh_at=None,
        lease_id=None,
        last_error=error,
        last_error_at=timezone.now(),
    )
    if marked:
        broken = Connection.objects.get(pk=connection_id)
        alerts.connection_broken(broken)
        connection_changed.send(sender=Connection, connection=broken, change="broken")
    return bool(marked)


def disconnect_connection(user: User | None, connection: Connection) -> bool:
    """Erase the tokens; accounts and history stay. Return False if the connection was disconnected before.

    None is the system itself. Raises PermissionDenied. A refresh that runs meanwhile cannot bring the tokens back.
    """
    require(user, "tokens.disconnect_connection")
    now = timezone.now()
    with transaction.atomic():
        changed = (
            Connection.objects.filter(pk=connection.pk)
            .exclude(state=Connection.State.DISCONNECTED)
            .update(
                state=Connection.State.DISCONNECTED,
                access_token=None,
                refresh_token=None,
                expires_at=None,
                next_refresh_at=None,
                lease_id=None,
                disconnected_at=now,
                disconnected_by=user,
            )
        )
        connection.refresh_from_db()
        if changed:
            connection_changed.send(sender=Connection, connection=connection, change="disconnected")
    return bool(changed)
