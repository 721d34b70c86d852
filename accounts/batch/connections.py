"""Doing a batch of connections: each connection by the operation that a person calls for one of them.

So each is allowed again on its locked row, and has its entry in the audit trail.
"""

from collections.abc import Callable, Mapping
from typing import Any
from uuid import UUID

from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction

from accounts.models import BatchOperation, ConnectionBatchItem, SyncRun
from accounts.sync.requests import request_sync
from tokens.connect.disconnect import disconnect_connection
from tokens.connect.move import MoveRefusedError, move_connection
from tokens.connect.renewals import send_renewal_link
from tokens.connect.update import update_connection
from tokens.errors import ConnectionUnusableError
from tokens.models import Connection, Team
from tokens.people.audit.origin import Origin, come_from
from tokens.people.keys import find_actor
from tokens.permissions import SYSTEM, System
from tokens.refresh.tasks import request_refresh
from tokens.request_order import OvertakenError

Operation = BatchOperation.Operation
State = ConnectionBatchItem.State
Actor = User | System
Result = tuple[ConnectionBatchItem.State, str]

OVERTAKEN = "A newer request changed it."
MOVED = "It has moved to another team."
LOST_RIGHT = "Who asked for it may not do it any more."
MAX_CONNECTIONS_PER_CHUNK = 20
# These lock accounts or teams, in an order of their own for each connection, so no two of them share a transaction.
ONE_BY_ONE = (Operation.DISCONNECT, Operation.MOVE, Operation.UPDATE, Operation.SEND_RENEWAL_LINKS)


def do_connections(batch: BatchOperation, *, max_connections: int = MAX_CONNECTIONS_PER_CHUNK) -> bool:
    """Do the next connections of a batch that is held; return True while there may be more."""
    if batch.operation in ONE_BY_ONE:
        max_connections = 1
    waiting = ConnectionBatchItem.objects.filter(batch=batch, state=State.WAITING, run=None)
    # Without the position, each chunk would read over all items that have ended.
    if batch.position is not None:
        waiting = waiting.filter(connection_id__gt=batch.position)
    items = list(waiting.order_by("connection_id")[:max_connections])
    if not items:
        return False
    actor = SYSTEM if batch.user_id is None else find_actor(batch.user_id, batch.asked_by_key)
    with come_from(Origin(key_id=str(batch.asked_by_key or ""))):
        for item in items:
            _do_item(batch, actor, item)
    batch.position = items[-1].connection_id
    batch.save(update_fields=["position"])
    return True


def _do_item(batch: BatchOperation, actor: Actor | None, item: ConnectionBatchItem) -> None:
    if actor is None:
        item.state, item.message = State.SKIPPED, LOST_RIGHT
    else:
        item.state, item.message = _do(batch, actor, item)
    item.save(update_fields=["state", "message", "cause", "run"])


def _do(batch: BatchOperation, actor: Actor, item: ConnectionBatchItem) -> Result:
    connection = Connection.objects.defer("access_token", "refresh_token").get(pk=item.connection_id)
    if connection.team_id != item.team_id:
        return State.SKIPPED, MOVED
    number = batch.request_number if item.request_number is None else item.request_number
    try:
        with transaction.atomic():
            return _DEEDS[Operation(batch.operation)](actor, connection, item, _Asked(batch.options, number))
    except OvertakenError:
        return State.SKIPPED, OVERTAKEN
    except PermissionDenied:
        return State.SKIPPED, LOST_RIGHT
    except ConnectionUnusableError as error:
        item.cause = connection.cause_not_synced
        return State.FAILED, str(error)
    except MoveRefusedError as error:
        return State.FAILED, str(error)
    except ValidationError as error:
        return State.FAILED, " ".join(error.messages)


class _Asked:
    """What was asked, and the number of the request."""

    def __init__(self, options: Mapping[str, Any], number: int) -> None:
        self.options = options
        self.number = number


def _sync(actor: Actor, connection: Connection, item: ConnectionBatchItem, _asked: _Asked) -> Result:
    # The end of the run is the end of the item.
    item.run = request_sync(actor, connection, trigger=SyncRun.Trigger.BATCH)
    return State.WAITING, ""


def _refresh(actor: Actor, connection: Connection, _item: ConnectionBatchItem, _asked: _Asked) -> Result:
    request_refresh(actor, connection)
    return State.SUCCEEDED, "A refresh is queued."


def _pause(actor: Actor, connection: Connection, _item: ConnectionBatchItem, asked: _Asked) -> Result:
    return _change(actor, connection, {"paused": True}, asked, "Paused.", "It was paused before.")


def _resume(actor: Actor, connection: Connection, _item: ConnectionBatchItem, asked: _Asked) -> Result:
    return _change(actor, connection, {"paused": False}, asked, "Resumed.", "It was not paused.")


def _update(actor: Actor, connection: Connection, _item: ConnectionBatchItem, asked: _Asked) -> Result:
    return _change(actor, connection, asked.options, asked, "Updated.", "It was like this already.")


def _change(
    actor: Actor, connection: Connection, changes: Mapping[str, Any], asked: _Asked, done: str, was_done: str
) -> Result:
    updated = update_connection(actor, connection, dict(changes), number=asked.number)
    if updated.overtaken:
        left = ", ".join(sorted(updated.overtaken))
        return State.SUCCEEDED, f"Updated, except for what a newer request changed: {left}."
    return (State.SUCCEEDED, done) if updated.changed else (State.SKIPPED, was_done)


def _disconnect(actor: Actor, connection: Connection, _item: ConnectionBatchItem, asked: _Asked) -> Result:
    if disconnect_connection(actor, connection, number=asked.number):
        return State.SUCCEEDED, "Disconnected."
    return State.SKIPPED, "It was disconnected before."


def _move(actor: Actor, connection: Connection, _item: ConnectionBatchItem, asked: _Asked) -> Result:
    team = Team.objects.get(pk=UUID(asked.options["team"]))
    move_connection(actor, connection, team, number=asked.number)
    return State.SUCCEEDED, f"Moved to “{team}”."


def _send_renewal_link(
    actor: Actor, connection: Connection, item: ConnectionBatchItem, _asked: _Asked
) -> Result:
    # Without the address, which would stay here when the login is forgotten.
    send_renewal_link(actor, connection, item.batch_id)
    return State.SUCCEEDED, "The contact gets one mail with the links of all their logins."


_DEEDS: dict[Operation, Callable[[Actor, Connection, ConnectionBatchItem, _Asked], Result]] = {
    Operation.SYNC: _sync,
    Operation.REFRESH: _refresh,
    Operation.PAUSE: _pause,
    Operation.RESUME: _resume,
    Operation.UPDATE: _update,
    Operation.DISCONNECT: _disconnect,
    Operation.MOVE: _move,
    Operation.SEND_RENEWAL_LINKS: _send_renewal_link,
}
