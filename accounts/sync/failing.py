"""Which logins cannot be synced, for the watcher."""

from typing import Any

from django.db.models import F, Func, JSONField, OuterRef, QuerySet, Subquery, Value
from django.db.models.functions import Coalesce

from accounts.models import SyncRun
from tokens.models import Connection
from tokens.processes.watch.logins import FailingLogin, Part, find_cause

# The kind of the error by which the first list of accounts ended that has this outcome.
_KIND = '$[*] ? (@.outcome == "{}" && @.source != "billing").errors[last].kind'


def find_failing_syncs() -> list[FailingLogin]:
    """Return the live logins whose last sync failed, or could not read a list of accounts."""
    ended = SyncRun.objects.filter(connection=OuterRef("pk"), finished_at__isnull=False)
    last: QuerySet[Any] = ended.order_by("-created_at", "-id").annotate(
        error_kind=Coalesce(_read_kind("failed"), _read_kind("forbidden"))
    )
    rows = (
        Connection.objects.live()
        .filter(paused=False)
        .exclude(sync_error="")
        .annotate(error_kind=Subquery(last.values("error_kind")[:1]))
        .order_by()
        .values_list("pk", "label", "team", "error_kind", "sync_error")
    )
    return [
        FailingLogin(pk, label, team, Part.SYNC, find_cause(kind), error)
        for pk, label, team, kind, error in rows
    ]


def _read_kind(outcome: str) -> Func:
    path = Func(Value(_KIND.format(outcome)), template="%(expressions)s::jsonpath")
    return Func(F("sources"), path, function="jsonb_path_query_first", output_field=JSONField())
