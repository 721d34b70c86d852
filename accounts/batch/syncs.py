"""The items of a sync batch: one sync run for all items of a connection."""

from django.db.models import Q

from accounts.batch.connections import MOVED
from accounts.models import Account, BatchItem, BatchOperation, SyncRun
from accounts.sync.requests import queue_sync
from tokens.models import Connection

MAX_CONNECTIONS_PER_CHUNK = 50


def request_syncs(batch: BatchOperation, *, max_connections: int = MAX_CONNECTIONS_PER_CHUNK) -> bool:
    """Request a sync for some connections of the batch; return True while connections are left."""
    items = BatchItem.objects.filter(batch=batch, state=BatchItem.State.WAITING, run=None)
    if batch.team_ids:
        # Who started the batch need not have a right in the new team.
        elsewhere = Account.objects.filter(pk__in=items.values("account")).exclude(team__in=batch.team_ids)
        items.filter(account__in=elsewhere).update(state=BatchItem.State.SKIPPED, message=MOVED)
    off = Q(sync_enabled=False) | Q(inactive_reason=Account.InactiveReason.DISCONNECTED)
    items.filter(account__in=Account.objects.filter(off)).update(
        state=BatchItem.State.SKIPPED, message="Its synchronisation is off."
    )
    unread = Account.objects.exclude(unread_regions=[])
    items.filter(account__in=unread).update(
        state=BatchItem.State.SKIPPED, message="Its connection does not read the region that shows it."
    )
    connections = Account.objects.filter(pk__in=items.values("account")).order_by().values("connection")
    for connection in Connection.objects.filter(pk__in=connections).order_by("pk")[:max_connections]:
        of_connection = items.filter(account__in=Account.objects.filter(connection=connection))
        if reason := connection.reason_not_synced:
            of_connection.update(
                state=BatchItem.State.FAILED, message=reason, cause=connection.cause_not_synced
            )
        else:
            # If a run of the connection waits already, `queue_sync` returns that run.
            run = queue_sync(connection, trigger=SyncRun.Trigger.BATCH, requested_by=batch.user)
            of_connection.update(run=run)
    return items.exists()
