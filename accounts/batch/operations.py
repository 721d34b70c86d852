"""The operations of a batch, and the permission that each operation needs."""

from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied

from accounts.models import BatchOperation
from tokens.models.team import Everywhere, find_teams
from tokens.permissions import System, read_limits, require

Operation = BatchOperation.Operation
Subject = BatchOperation.Subject

PERMISSIONS = {
    Operation.SYNC: "accounts.sync_account",
    Operation.DISCONNECT: "accounts.disconnect_account",
    Operation.RECONNECT: "accounts.disconnect_account",
    Operation.UPDATE: "accounts.update_account",
}


CONNECTION_PERMISSIONS = {
    Operation.SYNC: "accounts.sync_account",
    Operation.REFRESH: "tokens.refresh_connection",
    Operation.PAUSE: "tokens.connect_amazon",
    Operation.RESUME: "tokens.connect_amazon",
    Operation.UPDATE: "tokens.connect_amazon",
    Operation.MOVE: "tokens.move_connection",
    Operation.DISCONNECT: "tokens.disconnect_connection",
    Operation.SEND_RENEWAL_LINKS: "tokens.connect_amazon",
}
# The operations that are offered, by what they are done with.
OFFERED = {Subject.ACCOUNTS: PERMISSIONS, Subject.CONNECTIONS: CONNECTION_PERMISSIONS}


def find_permission(batch: BatchOperation) -> str:
    # An undo is offered for one batch only, and changes what an update changes.
    operation = Operation.UPDATE if batch.operation == Operation.UNDO else Operation(batch.operation)
    return OFFERED[Subject(batch.subject)][operation]


def require_operation(user: User | System, subject: Subject, operation: str) -> None:
    """Raise PermissionDenied unless the person may do this with the accounts or connections of any team."""
    require(user, OFFERED[subject][Operation(operation)])


def may_steer(user: User | System, batch: BatchOperation) -> bool:
    """Return whether the person may cancel the batch and retry it.

    Who did not start it needs the permission in all its teams.
    """
    teams = find_teams(user, find_permission(batch))
    if isinstance(teams, Everywhere):
        return True
    is_own = isinstance(user, User) and batch.user_id == user.pk and read_limits(user).is_none
    if is_own and not batch.by_team_key:
        return not teams.isdisjoint(batch.team_ids)
    return bool(batch.team_ids) and teams.issuperset(batch.team_ids)


def require_to_steer(user: User | System, batch: BatchOperation) -> None:
    if not may_steer(user, batch):
        raise PermissionDenied(find_permission(batch))
