"""The operations of a batch, and the permission that each operation needs."""

from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied

from accounts.models import BatchOperation
from tokens.models.team import Everywhere, find_teams
from tokens.permissions import System, read_limits, require

Operation = BatchOperation.Operation

PERMISSIONS = {
    Operation.SYNC: "accounts.sync_account",
    Operation.DISCONNECT: "accounts.disconnect_account",
    Operation.RECONNECT: "accounts.disconnect_account",
    Operation.UPDATE: "accounts.update_account",
}


def require_operation(user: User | System, operation: str) -> None:
    """Raise PermissionDenied unless the person may do this with the accounts of any team."""
    require(user, PERMISSIONS[Operation(operation)])


def may_steer(user: User | System, batch: BatchOperation) -> bool:
    """Return whether the person may cancel the batch and retry it.

    Who did not start it needs the permission in all its teams.
    """
    teams = find_teams(user, PERMISSIONS[Operation(batch.operation)])
    if isinstance(teams, Everywhere):
        return True
    is_own = isinstance(user, User) and batch.user_id == user.pk and read_limits(user).is_none
    if is_own and not batch.by_team_key:
        return not teams.isdisjoint(batch.team_ids)
    return bool(batch.team_ids) and teams.issuperset(batch.team_ids)


def require_to_steer(user: User | System, batch: BatchOperation) -> None:
    if not may_steer(user, batch):
        raise PermissionDenied(PERMISSIONS[Operation(batch.operation)])
