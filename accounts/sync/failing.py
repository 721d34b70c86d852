"""Which logins cannot be synced, for the watcher."""

from django.db.models import OuterRef, Subquery

from accounts.models import SyncRun
from tokens.models import Connection
from tokens.processes.watch.logins import FailingLogin, Part, find_shared_cause


def find_failing_syncs() -> list[FailingLogin]:
    """Return the live logins whose last sync failed, or could not read a list of accounts."""
    rows = (
        Connection.objects.live()
        .filter(paused=False)
        .exclude(sync_error="")
        .annotate(cause=find_last_cause())
        .order_by()
        .values_list("pk", "label", "team", "cause", "sync_error")
    )
    return [
        FailingLogin(pk, label, team, Part.SYNC, find_shared_cause(cause), error)
        for pk, label, team, cause, error in rows
    ]


def find_last_cause() -> Subquery:
    """Return, for a queryset of connections, why the last sync that ended did not read all."""
    ended = SyncRun.objects.filter(connection=OuterRef("pk"), finished_at__isnull=False)
    return Subquery(ended.order_by("-created_at", "-id").values("cause")[:1])
