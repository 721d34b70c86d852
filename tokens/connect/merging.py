"""Making one connection of two that belong to the same Amazon login.

The older connection goes on with the newer grant. The other one is disconnected and keeps its history. Everything
happens in the transaction of the caller, who has locked both.
"""

from datetime import datetime

from django.db.models.functions import Now

from tokens.alerts import create as alerts
from tokens.connect.identity import Identity
from tokens.encryption import DecryptionError
from tokens.models import Connection, ConnectLink
from tokens.people.audit import Action, record_audit
from tokens.permissions import SYSTEM
from tokens.signals import connection_changed

GRANT_FIELDS = (
    "expires_at",
    "next_refresh_at",
    "last_refreshed_at",
    "consented_at",
    "grant_refusals",
    "last_error",
    "last_error_at",
)


def merge_connections(asked: Connection, known: Connection, identity: Identity) -> bool:
    """Make one connection of `asked`, whose login has just been told, and `known`, which has this login.

    Return False if the tokens cannot be decrypted; then nothing is changed.
    """
    older, newer = sorted((asked, known), key=lambda each: (each.created_at, each.pk))
    has_newer_grant = _choose_newer_grant(asked, known)
    was_broken = older.is_broken
    if has_newer_grant is newer:
        try:
            _take_over_grant(older, newer)
        except DecryptionError:
            return False
    older.is_identity_pending = False
    older.set_login(identity.user_id, identity.name, identity.email)
    # First, because only one connection may have a login.
    _end(newer, into=older)
    older.save()
    if was_broken and not older.is_broken:
        alerts.alert_connection_healed(older)
    record_audit(SYSTEM, Action.CONNECTION_MERGE, newer, after={"into": str(older.pk)})
    connection_changed.send(sender=Connection, connection=newer, change="merged", into=older)
    if has_newer_grant is newer:
        connection_changed.send(sender=Connection, connection=older, change="healed")
    return True


def _choose_newer_grant(asked: Connection, known: Connection) -> Connection:
    if known.state != Connection.State.ACTIVE:
        return asked
    return known if _granted_at(known) > _granted_at(asked) else asked


def _granted_at(connection: Connection) -> datetime:
    # An imported grant may have no known consent.
    return connection.consented_at or connection.created_at


def _take_over_grant(older: Connection, newer: Connection) -> None:
    refresh_token, access_token = newer.refresh_token, newer.access_token
    # Sealed again, because a stored secret belongs to its row.
    older.refresh_token = refresh_token.reveal() if refresh_token else None
    older.access_token = access_token.reveal() if access_token else None
    for name in GRANT_FIELDS:
        setattr(older, name, getattr(newer, name))
    older.state = Connection.State.ACTIVE
    # Without its lease, a refresh of the old grant that still runs can change nothing.
    older.lease_id = None
    older.grant_version += 1
    older.refresh_count += 1


# No label and no name: `forget_login` erases them only in the connection that keeps the login.
def _end(connection: Connection, *, into: Connection) -> None:
    Connection.objects.filter(pk=connection.pk).update(
        state=Connection.State.DISCONNECTED,
        is_identity_pending=False,
        access_token=None,
        refresh_token=None,
        expires_at=None,
        next_refresh_at=None,
        lease_id=None,
        disconnected_at=Now(),
        disconnected_by=None,
        last_error=f"The same Amazon login is connected as {into.pk}, which goes on with the accounts.",
        last_error_at=Now(),
    )
    ConnectLink.objects.filter(connection=connection).update(connection=into)
    ConnectLink.objects.filter(connected=connection).update(connected=into)
    connection.refresh_from_db()
