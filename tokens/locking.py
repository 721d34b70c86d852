"""Locking a connection for somebody who changes it."""

from uuid import UUID

from tokens.models import Connection
from tokens.permissions import Actor, require


def lock_connection(user: Actor, permission: str, connection_id: UUID) -> Connection:
    """Lock the connection until the transaction ends, and check the permission on the locked row.

    Whoever read the connection before may have lost it meanwhile: it may have moved to another team. Raises
    PermissionDenied.
    """
    # Without the key: a sync that holds the lock of the team may refer to the connection.
    connection = Connection.objects.select_for_update(no_key=True).get(pk=connection_id)
    require(user, permission, connection)
    return connection
