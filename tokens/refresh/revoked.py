"""A grant that Amazon no longer accepts: no call is made for its connection until a person reconnects it."""

from uuid import UUID

from django.db import transaction
from django.utils import timezone

from tokens.alerts import create as alerts
from tokens.models import Connection, ConnectionQuerySet
from tokens.signals import connection_changed


def mark_revoked(connection: Connection, error: str) -> bool:
    """Mark a connection whose grant Amazon refuses. Return False if it has another grant by now."""
    same_grant = Connection.objects.active().filter(grant_version=connection.grant_version)
    with transaction.atomic():
        return mark_revoked_in(same_grant, connection.pk, error)


def mark_revoked_in(connections: ConnectionQuerySet, connection_id: UUID, error: str) -> bool:
    # The caller has opened the transaction: the alert and the signal belong to the change.
    marked = connections.filter(pk=connection_id).update(
        state=Connection.State.REAUTHORIZATION_REQUIRED,
        next_refresh_at=None,
        lease_id=None,
        last_error=error,
        last_error_at=timezone.now(),
    )
    if marked:
        broken = Connection.objects.get(pk=connection_id)
        alerts.alert_connection_broken(broken)
        connection_changed.send(sender=Connection, connection=broken, change="broken")
    return bool(marked)
