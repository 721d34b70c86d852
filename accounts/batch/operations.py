"""The operations of a batch, and the permission that each operation needs."""

from django.contrib.auth.models import User

from accounts.models import BatchOperation
from tokens.permissions import System, require

Operation = BatchOperation.Operation

PERMISSIONS = {
    Operation.SYNC: "accounts.sync_account",
    Operation.DISCONNECT: "accounts.disconnect_account",
    Operation.RECONNECT: "accounts.disconnect_account",
    Operation.UPDATE: "accounts.update_account",
}


def require_operation(user: User | System, operation: str) -> None:
    require(user, PERMISSIONS[Operation(operation)])
