"""The state of a sync run in the database: claiming, recording progress, returning and closing."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db import connection as database
from django.db.models import F
from django.db.models.functions import Coalesce, Greatest, Now
from django.db.models.lookups import GreaterThanOrEqual

from accounts.models import SyncRun
from accounts.signals import sync_ended
from accounts.standing.alerts import alert_standings
from accounts.sync.ends import report_end
from accounts.sync.listing import (
    PROFILES_EDIT,
    Listing,
    find_cause,
    is_application_refused,
    is_doubtful,
    is_only_postponed,
    is_unauthorized,
    state_of,
    totals,
    without_billing,
)
from accounts.sync.next_sync import next_sync_at
from amazon_accounts.amazon_ads.causes import Cause
from tokens.models import Connection, Event
from tokens.refresh.revoked import mark_revoked
from tokens.webhooks.events import record_connection_event

MAX_POSTPONEMENTS = 3
# A run whose wait would be longer ends without the missing list, so that its other lists are not delayed as
# well.
MAX_POSTPONEMENT = timedelta(minutes=5)
# After this many runs in a row in which Amazon answered 401 to every call, the login itself counts as
# refused.
UNAUTHORIZED_RUNS = 3
# The maximum of syncs in a row that only confirm the sync before. The next sync comes at its usual time.
MAX_CONFIRMATIONS = 3


class RunLostError(Exception):
    """The run was closed in the meantime, or its connection was disconnected, reconnected or moved."""


class RunTakenError(Exception):
    """The run is not waiting any more: another process claimed it, or it was closed."""


class AnotherRunActiveError(Exception):
    """Another run of the same connection is running."""


@dataclass(frozen=True, kw_only=True)
class RunClaim:
    """A run that this process owns. The fields about its connection are as of the claim."""

    run_id: UUID
    started_at: datetime
    connection_id: UUID
    team_id: UUID
    owner_id: int
    client_id: str
    grant_version: int
    regions: tuple[str, ...]


def claim_run(run_id: UUID) -> RunClaim:
    """Mark a waiting run as running, for this process. Raises RunTakenError or AnotherRunActiveError."""
    try:
        with transaction.atomic():
            claimed = SyncRun.objects.filter(pk=run_id, state=SyncRun.State.WAITING).update(
                state=SyncRun.State.RUNNING, started_at=Now(), heartbeat_at=Now()
            )
    except IntegrityError:
        # The constraint one_running_sync_per_connection.
        raise AnotherRunActiveError from None
    if not claimed:
        raise RunTakenError
    run = SyncRun.objects.select_related("connection").get(pk=run_id)
    if run.started_at is None:
        raise RunTakenError
    return RunClaim(
        run_id=run_id,
        started_at=run.started_at,
        connection_id=run.connection_id,
        team_id=run.connection.team_id,
        owner_id=run.connection.owner_id,
        client_id=run.connection.client_id,
        grant_version=run.connection.grant_version,
        regions=tuple(run.connection.regions),
    )


def owned_by(claim: RunClaim) -> dict[str, Any]:
    return {"pk": claim.run_id, "state": SyncRun.State.RUNNING, "started_at": claim.started_at}


def beat(claim: RunClaim, listings: Sequence[Listing]) -> bool:
    """Store a heartbeat and the progress so far; return whether the process still owns the run."""
    return (
        SyncRun.objects.filter(**owned_by(claim)).update(
            heartbeat_at=Now(), sources=[listing.as_data() for listing in listings], **totals(listings)
        )
        == 1
    )


@transaction.atomic
def close_run(
    claim: RunClaim,
    state: SyncRun.State,
    listings: Sequence[Listing],
    error: str = "",
    cause: Cause | None = None,
) -> UUID | None:
    """Close the run and record the result on its connection. Raises RunLostError.

    Without `cause`, the errors of the listings tell it.

    Returns the waiting run of the same connection, if there is one. Its job may have been dropped while this
    run was active, so the caller queues it in the same transaction.
    """
    connection = Connection.objects.select_for_update(no_key=True).get(pk=claim.connection_id)
    closed = SyncRun.objects.filter(**owned_by(claim)).update(
        state=state,
        finished_at=Greatest(Now(), F("created_at")),
        sources=[listing.as_data() for listing in listings],
        error=error,
        cause=_find_cause(listings) if cause is None else cause,
        **totals(listings),
    )
    if not closed:
        raise RunLostError
    # After a reconnection or a move, the result says nothing about the connection as it is now.
    if (connection.grant_version, connection.team_id) == (claim.grant_version, claim.team_id):
        _record_on_connection(connection, state, without_billing(listings), error)
    finish_closing(claim.run_id, claim.connection_id)
    if is_unauthorized([listing.as_data() for listing in without_billing(listings)]):
        transaction.on_commit(partial(_refuse_login, connection))
    return find_waiting_run(claim.connection_id)


def _find_cause(listings: Sequence[Listing]) -> Cause:
    # That billing failed is the cause only if everything else was read.
    return find_cause(without_billing(listings)) or find_cause(listings)


def close_refused_run(claim: RunClaim, error: str) -> UUID | None:
    """Close a run that has read nothing, as `close_run` does. It says nothing about the connection."""
    closed = SyncRun.objects.filter(**owned_by(claim)).update(
        state=SyncRun.State.FAILED,
        finished_at=Greatest(Now(), F("created_at")),
        error=error,
        cause=Cause.NOT_ALLOWED,
    )
    if not closed:
        raise RunLostError
    finish_closing(claim.run_id, claim.connection_id)
    return find_waiting_run(claim.connection_id)


def return_run(claim: RunClaim, listings: Sequence[Listing], reason: str, *, is_postponed: bool) -> bool:
    """Set the run back to waiting. The caller queues it in the same transaction.

    Returns False if another run of the connection is waiting already. Raises RunLostError.
    """
    try:
        with transaction.atomic():
            returned = SyncRun.objects.filter(**owned_by(claim)).update(
                state=SyncRun.State.WAITING,
                started_at=None,
                heartbeat_at=None,
                sources=[listing.as_data() for listing in listings],
                error=reason,
                postponed=F("postponed") + int(is_postponed),
                postponed_at=Coalesce(F("postponed_at"), Now()) if is_postponed else F("postponed_at"),
            )
    except IntegrityError:
        # The constraint one_waiting_sync_per_connection.
        return False
    if not returned:
        raise RunLostError
    discard_staged(claim.run_id)
    return True


def may_be_postponed(claim: RunClaim, until: datetime) -> bool:
    is_soon = GreaterThanOrEqual(Now() + MAX_POSTPONEMENT, until)
    return SyncRun.objects.filter(is_soon, pk=claim.run_id, postponed__lt=MAX_POSTPONEMENTS).exists()


@transaction.atomic
def close_unfinished_runs(connection: Connection, error: str, cause: Cause = Cause.INTERRUPTED) -> None:
    unfinished = SyncRun.objects.unfinished().filter(connection=connection)
    closed = list(unfinished.select_for_update().values_list("pk", flat=True))
    SyncRun.objects.filter(pk__in=closed).update(
        state=SyncRun.State.FAILED,
        finished_at=Greatest(Now(), F("created_at")),
        error=error,
        cause=cause,
    )
    for run_id in closed:
        finish_closing(run_id, connection.pk)


def finish_closing(run_id: UUID, connection_id: UUID) -> None:
    # The caller closes the run in the same transaction.
    discard_staged(run_id)
    alert_standings(run_id, connection_id)
    _record_end(run_id)
    # What goes wrong with the report is logged and ends no sync.
    transaction.on_commit(partial(report_end, run_id), robust=True)
    sync_ended.send(sender=SyncRun, run_id=run_id)


def _record_end(run_id: UUID) -> None:
    run = SyncRun.objects.select_related("connection__team").get(pk=run_id)
    counts = {name: getattr(run, name) for name in ("created", "changed", "gone")}
    record_connection_event(
        Event.Type.SYNC_ENDED,
        run.connection,
        more={"sync": {"id": str(run.pk), "state": run.state, **counts}},
    )


def discard_staged(run_id: UUID) -> None:
    with database.cursor() as cursor:
        cursor.execute("DELETE FROM accounts_staged_account WHERE run_id = %s", [run_id])
        cursor.execute("DELETE FROM accounts_staged_profile WHERE run_id = %s", [run_id])


def find_waiting_run(connection_id: UUID) -> UUID | None:
    waiting = SyncRun.objects.filter(connection_id=connection_id, state=SyncRun.State.WAITING)
    return waiting.values_list("pk", flat=True).first()


def _record_on_connection(
    connection: Connection, state: SyncRun.State, listings: Sequence[Listing], error: str
) -> None:
    if is_application_refused(listings):
        # The fault lies with our client id or secret, so the connection is not marked as failed and is synced
        # soon.
        connection.next_sync_at = next_sync_at(connection.pk, failures=max(connection.sync_failures, 1))
        connection.save(update_fields=["next_sync_at"])
        return
    # A run is partial too if only Amazon's billing failed. The accounts are read, and the connection is well.
    is_read = state == SyncRun.State.PARTIAL and state_of(listings) == SyncRun.State.SUCCEEDED
    succeeded = is_read or state == SyncRun.State.SUCCEEDED
    failures = 0 if succeeded else connection.sync_failures + (not is_only_postponed(listings))
    # The list of ads accounts is the largest part of a sync: data that it has refreshed counts as synced.
    if succeeded or any(listing.is_ads_accounts and listing.is_usable for listing in listings):
        connection.last_synced_at = Now()
    connection.sync_failures = failures
    connection.sync_error = "" if succeeded else error
    connection.next_sync_at = next_sync_at(
        connection.pk, failures=failures, soon=_needs_confirmation(connection, listings)
    )
    if listings:
        connection.unread_lists = [
            listing.scope for listing in listings if listing.is_unread and listing.source != PROFILES_EDIT
        ]
    connection.save(
        update_fields=["last_synced_at", "sync_failures", "sync_error", "next_sync_at", "unread_lists"]
    )


def _needs_confirmation(connection: Connection, listings: Sequence[Listing]) -> bool:
    if not any(listing.is_doubtful for listing in listings):
        return False
    # A list that always moves would always need another reading, and every sync would follow the last one at once.
    ended = SyncRun.objects.filter(connection=connection, finished_at__isnull=False).order_by(
        "-created_at", "-id"
    )
    last = ended.values_list("sources", flat=True)[: MAX_CONFIRMATIONS + 1]
    return not (len(last) > MAX_CONFIRMATIONS and all(is_doubtful(sources) for sources in last))


def _refuse_login(connection: Connection) -> None:
    # If Amazon accepts no other login either, the fault lies with the application, and no login is marked.
    ended = SyncRun.objects.filter(connection=connection, finished_at__isnull=False)
    last = list(ended.order_by("-created_at", "-id")[:UNAUTHORIZED_RUNS])
    if len(last) < UNAUTHORIZED_RUNS or not all(is_unauthorized(run.sources) for run in last):
        return
    others = SyncRun.objects.filter(
        connection__in=Connection.objects.live().exclude(pk=connection.pk),
        state__in=[SyncRun.State.SUCCEEDED, SyncRun.State.PARTIAL],
        created_at__gt=last[-1].created_at,
    )
    if others.exists():
        mark_revoked(
            connection, "Amazon answers 401 to every call of this login, and accepts the calls of others."
        )
