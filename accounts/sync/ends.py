"""What a sync that has ended leaves in the log and in the measures."""

import logging
from typing import Final
from uuid import UUID

from accounts.models import SyncRun
from amazon_accounts.postgresql.measures import SYNCED, SYNCS

logger = logging.getLogger(__name__)

RESULTS: Final = ("created", "changed", "unchanged", "gone", "rejected")
FIGURES: Final = (*RESULTS, "requests", "throttled", "postponed")


def report_end(run_id: UUID) -> None:
    run = SyncRun.objects.get(pk=run_id)
    started_at, finished_at = run.started_at or run.created_at, run.finished_at or run.created_at
    seconds = (finished_at - started_at).total_seconds()
    waited = (started_at - run.created_at).total_seconds()
    SYNCS.time(seconds, run.state)
    for result in RESULTS:
        SYNCED.count(result, number=getattr(run, result))
    # A record of the log has a time called `created`.
    figures = {"new" if name == "created" else name: getattr(run, name) for name in FIGURES}
    logger.log(
        logging.WARNING if run.state == SyncRun.State.FAILED else logging.INFO,
        "Sync of connection %s %s in %.1f s: %d accounts read, %d new, %d changed, %d gone; %d requests.%s",
        run.connection_id,
        run.state,
        seconds,
        run.seen,
        run.created,
        run.changed,
        run.gone,
        run.requests,
        f" {run.error}" if run.error else "",
        extra={
            "action": "sync_ended",
            "run": str(run.pk),
            "connection": str(run.connection_id),
            "trigger": run.trigger,
            "state": run.state,
            "seconds": round(seconds, 3),
            "waited_seconds": round(waited, 3),
            **figures,
        },
    )
