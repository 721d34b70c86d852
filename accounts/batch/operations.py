"""The operations of a batch, and the permission that each operation needs."""

from django.contrib.auth.models import User

from accounts.models import BatchOperation
from tokens.permissions import require

Operation = BatchOperation.Operation

PERMISSIONS = {
    Operation.SYNC: "accounts.sync_account",
    Operation.DISCONNECT: "accounts.disconnect_account",
    Operation.RECONNECT: "accounts.disconnect_account",
    Operation.UPDATE: "accounts.update_account",
}


def require_operation(user: User | None, operation: str) -> None:
    # `user` None is a command: it may do everything.
    require(user, PERMISSIONS[Operation(operation)])
