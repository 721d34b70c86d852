"""Writing events, in the transaction of the operation that they are about.

Events of accounts are written by the trigger accounts_write_events of the database, because syncs change accounts by the
thousand. Those of connections follow from the signal `connection_changed`.
"""

from collections.abc import Mapping
from typing import Any, Final
from uuid import UUID

from tokens.models import Connection, Event, Team
from tokens.signals import connection_changed

Type = Event.Type

TYPES: Final = {
    "connected": Type.CONNECTION_CONNECTED,
    "healed": Type.CONNECTION_HEALED,
    "broken": Type.CONNECTION_BROKEN,
    "disconnected": Type.CONNECTION_DISCONNECTED,
    "merged": Type.CONNECTION_DISCONNECTED,
    "moved": Type.CONNECTION_CONNECTED,
}


def listen() -> None:
    connection_changed.connect(_on_connection_changed, dispatch_uid="tokens.webhooks")


def record_connection_event(
    type_: Event.Type,
    connection: Connection,
    *,
    team: Team | None = None,
    more: Mapping[str, Any] | None = None,
) -> None:
    """Write one event about the connection, for its team or the team that it had."""
    team = team or connection.team
    Event.objects.create(
        team=team,
        type=type_,
        object_id=connection.pk,
        connection_id=connection.pk,
        data={
            "team": {"id": str(team.pk), "name": team.name},
            "connection": {"id": str(connection.pk), "label": connection.label},
            **(more or {}),
        },
    )


def _on_connection_changed(
    connection: Connection, change: str, old_team: UUID | None = None, **_: Any
) -> None:
    if change == "moved" and old_team is not None:
        # The team that had it cannot use it any more.
        record_connection_event(Type.CONNECTION_DISCONNECTED, connection, team=Team.objects.get(pk=old_team))
    if change == "forgotten":
        Event.objects.all().erase_connection(connection.pk, connection.label)
    if type_ := TYPES.get(change):
        record_connection_event(type_, connection)
