"""What happens to accounts when something happens to a connection."""

from typing import Any

from django.dispatch import receiver

from accounts import visibility
from accounts.models import SyncRun
from accounts.tasks import request_sync
from tokens.models import Connection
from tokens.signals import connection_changed


@receiver(connection_changed, dispatch_uid="accounts")
def on_connection_changed(connection: Connection, change: str, **_: Any) -> None:
    """Part of the transaction that makes the change."""
    if change in {"connected", "healed"}:
        request_sync(connection, trigger=SyncRun.Trigger.CONNECT)
    elif change == "broken":
        visibility.connection_broken(connection)
    elif change == "disconnected":
        visibility.connection_disconnected(connection)
