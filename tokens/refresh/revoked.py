"""A grant that Amazon no longer accepts: no call is made for its connection until a person reconnects it.

Or until a process that was frozen brings the refresh token that had replaced the refused one.
"""

from datetime import timedelta
from uuid import UUID

from django.db import transaction
from django.db.models import F
from django.db.models.functions import Now

from amazon_accounts.amazon_ads.lwa import Grant
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
        last_error_at=Now(),
    )
    if marked:
        broken = Connection.objects.get(pk=connection_id)
        alerts.alert_connection_broken(broken)
        connection_changed.send(sender=Connection, connection=broken, change="broken")
    return bool(marked)


def heal(connection: Connection, grant: Grant, life: float) -> None:
    """Let a marked connection go on with a grant whose access token lives for `life` more seconds.

    The caller has opened the transaction and locked the connection.
    """
    connection.state = Connection.State.ACTIVE
    # Other processes that still use the old tokens can record nothing for the new version.
    connection.grant_version += 1
    connection.grant_refusals = 0
    connection.access_token = grant.access_token
    connection.refresh_token = grant.refresh_token
    connection.expires_at = Now() + timedelta(seconds=life)
    # Due at once, so that it is known soon whether Amazon accepts the token.
    connection.next_refresh_at = Now()
    connection.refresh_count = F("refresh_count") + 1
    connection.last_refreshed_at = Now()
    connection.last_error = ""
    connection.last_error_at = None
    connection.save()
    connection.refresh_from_db()
    announce_healed(connection)


def announce_healed(connection: Connection) -> None:
    alerts.alert_connection_healed(connection)
    connection_changed.send(sender=Connection, connection=connection, change="healed")
