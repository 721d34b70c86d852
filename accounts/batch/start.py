"""Batch operations: one request to act on many accounts, done in chunks, with a result for each.

A request is stored with its items and answered; a task does the rest. Whoever touches an operation or its items
holds the operation's row, so that chunks, settling, cancelling and retrying come one after the other. A chunk and its
results are one transaction: a worker that dies leaves every account either done or waiting.

    start_batch()  stores the request and queues it      run_chunk()  does the next part, True while there is more
    cancel()       skips what waits                      settle()     gives items the outcome of their syncs
    retry()        does again what failed
"""

import hashlib
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Any
from uuid import UUID

import msgspec
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.db import DEFAULT_DB_ALIAS, IntegrityError, transaction
from django.db import connection as database
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils import timezone
from procrastinate.contrib.django import app
from procrastinate.exceptions import AlreadyEnqueued

from accounts.lists.any_of import id_is_one_of
from accounts.lists.filters import NotFoundError, filter_accounts
from accounts.models import Account, BatchItem, BatchOperation, SyncRun
from accounts.models.account import AccountQuerySet
from accounts.models.batch import UNFINISHED
from accounts.models.changes import change_in_the_name_of
from accounts.permissions import require
from accounts.sync.rows import STATUSES
from accounts.sync.tasks import request_sync
from accounts.update import MOST_LABELS, check_changes
from tokens.models import Connection

MOST_ITEMS = 100_000
LONGEST_KEY = 200  # characters
IDEMPOTENCY_KEY = re.compile(rf"[ -~]{{1,{LONGEST_KEY}}}")
# Of more ids than so many, so many are looked at before the others.
MANY = 1_000
SAMPLE = 100
CHUNK = 2_000  # accounts
LOGINS_PER_CHUNK = 50
KEPT = timedelta(days=90)

QUEUE = "batch"
TASK = "accounts.run_batch"

Operation = BatchOperation.Operation
PERMISSIONS = {
    Operation.SYNC: "accounts.sync_account",
    Operation.DISCONNECT: "accounts.disconnect_account",
    Operation.RECONNECT: "accounts.disconnect_account",
    Operation.UPDATE: "accounts.update_account",
}
OPTIONS = ("labels", "sync_enabled")  # of an update; the others take none


class BatchStateError(Exception):
    """The operation is not in a state in which this can be done."""


# --- Starting


def start_batch(
    user: User | None,
    operation: str,
    *,
    account_ids: Sequence[Any] | None = None,
    filter: Mapping[str, Any] | None = None,  # noqa: A002 - it is called so everywhere else
    options: Mapping[str, Any] | None = None,
    idempotency_key: str | None = None,
) -> BatchOperation:
    """Store an operation on these accounts, or on all that a filter of `filter_accounts()` chooses, and queue it.

    `user` None is a command. All is checked before anything is stored: a ValidationError names the field, a
    NotFoundError accounts that are not theirs, PermissionDenied the permission. The same `idempotency_key` with the
    same request is the same operation, however often it comes.
    """
    request = {
        "operation": operation,
        "account_ids": account_ids,
        "filter": None if filter is None else dict(filter),
        "options": dict(options or {}),
    }
    _check_form(request, idempotency_key)
    require(user, PERMISSIONS[Operation(operation)])
    digest = _digest(request) if idempotency_key else ""
    if known := _known(user, idempotency_key, digest):
        return known
    ids = None if account_ids is None else _parsed(user, account_ids)
    accounts = _chosen(user, ids, filter)
    batch = BatchOperation(
        user=user,
        operation=operation,
        options=request["options"],
        filter=request["filter"],
        idempotency_key=idempotency_key,
        request_digest=digest,
    )
    try:
        _store(batch, accounts, ids)
    except IntegrityError:
        # The same request came twice at once, and the other one was first.
        if known := _known(user, idempotency_key, digest):
            return known
        raise
    return batch


def _check_form(request: Mapping[str, Any], idempotency_key: str | None) -> None:
    operation, ids, options = request["operation"], request["account_ids"], request["options"]
    errors: dict[str, str] = {}
    if operation not in Operation.values:
        errors["operation"] = f"It must be one of: {', '.join(Operation.values)}."
    if (ids is None) == (request["filter"] is None):
        errors["account_ids"] = "Give either `account_ids` or `filter`."
    elif ids is not None and not 1 <= len(ids) <= MOST_ITEMS:
        errors["account_ids"] = f"There must be 1 to {MOST_ITEMS:,} of them; these are {len(ids):,}."
    if idempotency_key is not None and not IDEMPOTENCY_KEY.fullmatch(idempotency_key):
        errors["Idempotency-Key"] = (
            f"It must have 1 to {LONGEST_KEY} characters, all of them printable ASCII."
        )
    if operation == Operation.UPDATE and not options:
        errors["options"] = f"An update needs any of: {', '.join(OPTIONS)}."
    if errors:
        raise ValidationError(errors)
    if operation == Operation.UPDATE:
        check_changes(options, OPTIONS, within="options")
        if options.get("labels") == {}:
            raise ValidationError({"options.labels": "It must name at least one label."})
    elif options:
        raise ValidationError({"options": f"“{operation}” takes no options."})


def _digest(request: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(request, sort_keys=True, default=str).encode()).hexdigest()


def _parsed(user: User | None, account_ids: Sequence[Any]) -> list[UUID]:
    if len(account_ids) > MANY:
        # Whoever sends very many wrong ones is told so by the first: to look for all of them takes a second.
        sample = list(set(_ids(account_ids[:SAMPLE])))
        if number := len(sample) - _with_ids(user, sample).count():
            raise NotFoundError({"account_ids": _missing(_with_ids(user, sample), sample, number)})
    ids = _ids(account_ids)
    if len(set(ids)) != len(ids):
        raise ValidationError({"account_ids": "Each id may be given once."})
    return ids


def _ids(values: Sequence[Any]) -> list[UUID]:
    try:
        return msgspec.convert(values, list[UUID])
    except msgspec.ValidationError:
        wrong = next(value for value in values if not _is_id(value))
    if isinstance(wrong, str):
        raise ValidationError({"account_ids": f"“{wrong[:40]}” is not the id of an account."})
    raise ValidationError({"account_ids": "Each id must be a string."})


def _is_id(value: Any) -> bool:
    try:
        msgspec.convert(value, UUID)
    except msgspec.ValidationError:
        return False
    return True


def _with_ids(user: User | None, ids: list[UUID]) -> AccountQuerySet:
    accounts = Account.objects.all() if user is None else Account.objects.visible_to(user)
    return accounts.filter(id_is_one_of(ids))


def _chosen(user: User | None, ids: list[UUID] | None, filter_: Mapping[str, Any] | None) -> AccountQuerySet:
    if ids is not None:
        return _with_ids(user, ids)
    try:
        return filter_accounts(user, filter_ or {})
    except ValidationError as error:
        named = {f"filter.{name}": messages for name, messages in error.message_dict.items()}
        raise type(error)(named) from None


def _known(user: User | None, idempotency_key: str | None, digest: str) -> BatchOperation | None:
    if idempotency_key is None:
        return None
    known = BatchOperation.objects.filter(user=user, idempotency_key=idempotency_key).first()
    if known is not None and known.request_digest != digest:
        raise ValidationError({"Idempotency-Key": "It was used before, for another request."})
    return known


@transaction.atomic
def _store(batch: BatchOperation, accounts: AccountQuerySet, ids: list[UUID] | None) -> None:
    sql, parameters = _sql_of(accounts.order_by("pk").values_list("pk")[: MOST_ITEMS + 1])
    # The items come first: the operation is stored with their number.
    with database.cursor() as cursor:
        cursor.execute(
            "INSERT INTO accounts_batchitem (batch_id, account_id, state, message)"  # noqa: S608 - Django's SQL
            f" SELECT %s, picked.id, 'waiting', '' FROM ({sql}) picked (id)",
            [batch.pk, *parameters],
        )
        batch.total = cursor.rowcount
    # Whatever is wrong now takes the items back with it.
    if ids is not None and (number := len(ids) - batch.total):
        raise NotFoundError({"account_ids": _missing(accounts, ids, number)})
    if batch.total > MOST_ITEMS:
        raise ValidationError({"filter": f"It chooses more than {MOST_ITEMS:,} accounts. Narrow it down."})
    batch.save(force_insert=True)
    if not batch.total:
        _end(batch, BatchOperation.State.SUCCEEDED, {})
        return
    queue(batch.pk)


def _missing(accounts: AccountQuerySet, ids: list[UUID], number: int) -> str:
    sql, parameters = _sql_of(accounts.order_by().values_list("pk"))
    with database.cursor() as cursor:
        cursor.execute(
            f"SELECT asked.id FROM unnest(%s::uuid[]) asked (id) EXCEPT ({sql}) LIMIT 3",  # noqa: S608 - Django's SQL
            [ids, *parameters],
        )
        some = ", ".join(str(account_id) for (account_id,) in cursor.fetchall())
    return f"{number:,} of {len(ids):,} {'is' if number == 1 else 'are'} not there, among them {some}."


def _sql_of(accounts: QuerySet[Any, Any]) -> tuple[str, tuple[Any, ...]]:
    """The statement, also of what Django knows to choose nothing."""
    statement: tuple[str, tuple[Any, ...]] = accounts.query.get_compiler(
        DEFAULT_DB_ALIAS, elide_empty=False
    ).as_sql()
    return statement


def queue(batch_id: UUID) -> None:
    """Queue the task that does the operation, unless it is queued. Part of the transaction around it."""
    try:
        with transaction.atomic():
            task = app.configure_task(TASK, queue=QUEUE, queueing_lock=f"{TASK}:{batch_id}")
            task.defer(batch_id=str(batch_id))
    except AlreadyEnqueued:
        return


# --- Doing


@contextmanager
def _held(batch_id: UUID) -> Iterator[BatchOperation]:
    """A transaction that holds the operation, as it is now."""
    with transaction.atomic():
        yield BatchOperation.objects.select_for_update(no_key=True).get(pk=batch_id)


def run_chunk(batch_id: UUID) -> bool:
    """Do the next part of an operation; return True while there is more. A sync asks for its runs and ends here."""
    with _held(batch_id) as batch:
        if batch.is_finished:
            return False
        if batch.started_at is None:
            batch.started_at = timezone.now()
        batch.state = BatchOperation.State.RUNNING
        batch.save(update_fields=["state", "started_at"])
        more = _ask_for_syncs(batch) if batch.operation == Operation.SYNC else _do_chunk(batch)
        if not more:
            _finish(batch)
    return more


def _do_chunk(batch: BatchOperation) -> bool:
    waiting = BatchItem.objects.filter(batch=batch, state=BatchItem.State.WAITING)
    if batch.position is not None:
        waiting = waiting.filter(account_id__gt=batch.position)
    ids = list(waiting.order_by("account_id").values_list("account_id", flat=True)[:CHUNK])
    if not ids:
        return False
    _lock_in_order(ids)
    change_in_the_name_of(batch.user_id)
    statement, parameters = _STATEMENTS[Operation(batch.operation)](batch)
    with database.cursor() as cursor:
        cursor.execute(statement, {"batch": batch.pk, "ids": ids, **parameters})
    batch.position = ids[-1]
    batch.save(update_fields=["position"])
    return len(ids) == CHUNK


def _lock_in_order(ids: list[UUID]) -> None:
    """Lock the accounts in the order in which a sync writes them, so that the two cannot wait for each other."""
    with database.cursor() as cursor:
        cursor.execute(
            "SELECT FROM user_accounts WHERE id = ANY(%s)"
            " ORDER BY user_id, amazon_account_id FOR NO KEY UPDATE",
            [ids],
        )


# Each changes the accounts that it concerns and says of each item what came of it.
DISCONNECT = """
WITH done AS (
    UPDATE user_accounts
       SET status = 'inactive', inactive_reason = 'disconnected', updated_at = clock_timestamp(),
           disconnected_at = greatest(clock_timestamp(), connected_at)
     WHERE id = ANY(%(ids)s) AND inactive_reason IS DISTINCT FROM 'disconnected'
 RETURNING id
)
UPDATE accounts_batchitem item
   SET state = CASE WHEN done.id IS NULL THEN 'skipped' ELSE 'succeeded' END,
       message = CASE WHEN done.id IS NULL THEN 'It was disconnected before.' ELSE 'Disconnected.' END
  FROM unnest(%(ids)s::uuid[]) asked (id) LEFT JOIN done USING (id)
 WHERE item.batch_id = %(batch)s AND item.account_id = asked.id
"""

RECONNECT = """
WITH done AS (
    UPDATE user_accounts account
       SET status = CASE WHEN seen.by_a_login THEN seen.status ELSE 'inactive' END,
           inactive_reason = CASE WHEN seen.by_a_login THEN NULL ELSE 'not_visible' END,
           disconnected_at = NULL, updated_at = clock_timestamp()
      FROM (
        SELECT disconnected.id,
               EXISTS (SELECT FROM accounts_accountaccess WHERE account_id = disconnected.id) AS by_a_login,
               coalesce(known.status, 'pending') AS status
          FROM user_accounts disconnected
          LEFT JOIN unnest(%(words)s::text[], %(statuses)s::text[]) known (word, status)
                 ON known.word = coalesce(disconnected.amazon_status, '')
         WHERE disconnected.id = ANY(%(ids)s) AND disconnected.inactive_reason = 'disconnected'
      ) seen
     WHERE account.id = seen.id
 RETURNING account.id, account.inactive_reason
)
UPDATE accounts_batchitem item
   SET state = CASE WHEN done.id IS NULL THEN 'skipped' ELSE 'succeeded' END,
       message = CASE WHEN done.id IS NULL THEN 'It was not disconnected here.'
                      WHEN done.inactive_reason IS NULL THEN 'Reconnected.'
                      ELSE 'Reconnected, but no login sees it now; it returns when one does.' END
  FROM unnest(%(ids)s::uuid[]) asked (id) LEFT JOIN done USING (id)
 WHERE item.batch_id = %(batch)s AND item.account_id = asked.id
"""

UPDATE = """
WITH wanted AS (
    SELECT id, (labels || %(set)s::jsonb) - %(removed)s::text[] AS labels,
           coalesce(%(sync_enabled)s::boolean, sync_enabled) AS sync_enabled
      FROM user_accounts WHERE id = ANY(%(ids)s)
), allowed AS (
    SELECT * FROM wanted WHERE (SELECT count(*) FROM jsonb_object_keys(labels)) <= %(most)s
), done AS (
    UPDATE user_accounts account
       SET labels = allowed.labels, sync_enabled = allowed.sync_enabled, updated_at = clock_timestamp()
      FROM allowed
     WHERE account.id = allowed.id
       AND (account.labels <> allowed.labels OR account.sync_enabled <> allowed.sync_enabled)
)
UPDATE accounts_batchitem item
   SET state = CASE WHEN allowed.id IS NULL THEN 'failed' ELSE 'succeeded' END,
       message = CASE WHEN allowed.id IS NULL THEN %(too_many)s ELSE 'Updated.' END
  FROM unnest(%(ids)s::uuid[]) asked (id) LEFT JOIN allowed USING (id)
 WHERE item.batch_id = %(batch)s AND item.account_id = asked.id
"""


def _reconnect(batch: BatchOperation) -> tuple[str, dict[str, Any]]:
    del batch
    return RECONNECT, {"words": list(STATUSES), "statuses": [str(status) for status in STATUSES.values()]}


def _update(batch: BatchOperation) -> tuple[str, dict[str, Any]]:
    labels: dict[str, str | None] = batch.options.get("labels", {})
    return UPDATE, {
        "set": json.dumps({key: value for key, value in labels.items() if value is not None}),
        "removed": [key for key, value in labels.items() if value is None],
        "sync_enabled": batch.options.get("sync_enabled"),
        "most": MOST_LABELS,
        "too_many": f"It would have more than {MOST_LABELS} labels.",
    }


_STATEMENTS: dict[Operation, Callable[[BatchOperation], tuple[str, dict[str, Any]]]] = {
    Operation.DISCONNECT: lambda batch: (DISCONNECT, {}),
    Operation.RECONNECT: _reconnect,
    Operation.UPDATE: _update,
}


# --- Syncing


def _ask_for_syncs(batch: BatchOperation) -> bool:
    """Hand the items of some logins over to one sync run each, a waiting one if there is one."""
    items = BatchItem.objects.filter(batch=batch, state=BatchItem.State.WAITING, run=None)
    off = Q(sync_enabled=False) | Q(inactive_reason=Account.InactiveReason.DISCONNECTED)
    items.filter(account__in=Account.objects.filter(off)).update(
        state=BatchItem.State.SKIPPED, message="Its synchronisation is off."
    )
    logins = Account.objects.filter(pk__in=items.values("account")).order_by().values("connection")
    for connection in Connection.objects.filter(pk__in=logins).order_by("pk")[:LOGINS_PER_CHUNK]:
        theirs = items.filter(account__in=Account.objects.filter(connection=connection))
        if reason := connection.reason_unusable:
            theirs.update(state=BatchItem.State.FAILED, message=reason)
        else:
            theirs.update(
                run=request_sync(connection, trigger=SyncRun.Trigger.BATCH, requested_by=batch.user)
            )
    return items.exists()


# A run whose worker died is closed, and another one asked for in the same moment, unless one waited: that one decides.
FOLLOW_THE_NEXT = """
UPDATE accounts_batchitem item SET run_id = next.id, state = 'waiting'
  FROM accounts_syncrun run
  JOIN accounts_syncrun next ON next.connection_id = run.connection_id
   AND next.state IN ('waiting', 'running') AND next.created_at >= run.created_at
 WHERE item.batch_id = %(batch)s AND item.state IN ('waiting', 'running')
   AND item.run_id = run.id AND run.state = 'failed'
"""

# A run also waits again: because Amazon asked us to, or because its process was stopped.
FOLLOW_THE_RUN = """
UPDATE accounts_batchitem item SET state = run.state
  FROM accounts_syncrun run
 WHERE item.batch_id = %(batch)s AND item.run_id = run.id AND item.state <> run.state
   AND item.state IN ('waiting', 'running') AND run.state IN ('waiting', 'running')
"""

# Of a run that did not fail, those accounts have failed whose lists, of the kind that tells about them, could not be
# read, or may not be.
ENDED = """
WITH unread AS MATERIALIZED (
    SELECT run.id AS run_id, walk #>> '{errors,-1,message}' AS message,
           concat_ws(':', walk ->> 'source', walk ->> 'region', walk ->> 'profile_id') AS list
      FROM accounts_syncrun run
     CROSS JOIN LATERAL jsonb_array_elements(run.sources) walk
     WHERE run.id IN (SELECT run_id FROM accounts_batchitem
                       WHERE batch_id = %(batch)s AND state IN ('waiting', 'running') AND run_id IS NOT NULL)
       AND run.finished_at IS NOT NULL AND walk ->> 'outcome' IN ('failed', 'forbidden')
), outcome AS (
    SELECT item.account_id,
           CASE WHEN run.state = 'failed' THEN coalesce(nullif(run.error, ''), 'The sync failed.')
                WHEN EXISTS (SELECT FROM unread WHERE unread.run_id = run.id) THEN (
                    SELECT coalesce(min(unread.message), nullif(run.error, ''), 'Amazon did not show it.')
                      FROM accounts_accountaccess access
                     CROSS JOIN LATERAL unnest(access.seen_in) AS shown(list)
                      LEFT JOIN unread ON unread.run_id = run.id AND unread.list = shown.list
                     WHERE access.account_id = account.id AND access.connection_id = run.connection_id
                       AND split_part(shown.list, ':', 1) = account.source
                    HAVING bool_and(unread.list IS NOT NULL))
           END AS problem
      FROM accounts_batchitem item
      JOIN accounts_syncrun run ON run.id = item.run_id AND run.finished_at IS NOT NULL
      JOIN user_accounts account ON account.id = item.account_id
     WHERE item.batch_id = %(batch)s AND item.state IN ('waiting', 'running')
)
UPDATE accounts_batchitem item
   SET state = CASE WHEN outcome.problem IS NULL THEN 'succeeded' ELSE 'failed' END,
       message = coalesce(outcome.problem, 'Synced.')
  FROM outcome
 WHERE item.batch_id = %(batch)s AND item.account_id = outcome.account_id
"""


def settle(run_id: UUID | None = None) -> None:
    """Give the items that wait for syncs, or for this one, the outcome of those that have ended or begun.

    Called when a sync ends, and now and then for those of which nobody told.
    """
    items = BatchItem.objects.filter(state__in=UNFINISHED, run__isnull=False)
    if run_id is not None:
        items = items.filter(run=run_id)
    for batch_id in items.order_by("batch_id").values_list("batch_id", flat=True).distinct():
        with _held(batch_id) as batch, database.cursor() as cursor:
            for statement in (FOLLOW_THE_NEXT, FOLLOW_THE_RUN, ENDED):
                cursor.execute(statement, {"batch": batch_id})
            _finish(batch)


# --- Ending


def _finish(batch: BatchOperation) -> None:
    """Close the operation if none of its items waits or runs any more. Its row is held."""
    counts = batch.counted()
    if counts["waiting"] or counts["running"]:
        return
    if batch.cancelled_at is not None:
        state = BatchOperation.State.CANCELLED
    elif not counts["failed"]:
        state = BatchOperation.State.SUCCEEDED
    elif counts["succeeded"]:
        state = BatchOperation.State.PARTIAL
    else:
        state = BatchOperation.State.FAILED
    _end(batch, state, counts)


def _end(batch: BatchOperation, state: BatchOperation.State, counts: Mapping[str, int]) -> None:
    batch.state = state
    batch.finished_at = max(timezone.now(), batch.created_at)
    batch.succeeded, batch.failed, batch.skipped = (
        counts.get(outcome, 0) for outcome in ("succeeded", "failed", "skipped")
    )
    batch.save(update_fields=["state", "finished_at", "succeeded", "failed", "skipped"])


# Nobody else waits for them: who joins a run that waits makes it a run of another trigger. Of one that has not begun
# nothing remains, for nothing came of it; one that was put back ends with what it had.
END_UNWANTED_RUNS = """
WITH unwanted AS (
    SELECT id, started_before FROM (
        SELECT id, sources <> '[]' AS started_before FROM accounts_syncrun
         WHERE id = ANY(%(runs)s) AND state = 'waiting' AND trigger = 'batch'
    ) waiting
     WHERE NOT EXISTS (SELECT FROM accounts_batchitem item
                        WHERE item.run_id = waiting.id AND item.state IN ('waiting', 'running'))
), ended AS (
    UPDATE accounts_syncrun run
       SET state = 'failed', finished_at = greatest(now(), created_at), error = 'Cancelled while it waited for Amazon.'
      FROM unwanted WHERE run.id = unwanted.id AND started_before
)
DELETE FROM accounts_syncrun run USING unwanted WHERE run.id = unwanted.id AND NOT started_before
"""


def cancel(batch: BatchOperation, user: User | None) -> BatchOperation:
    """Skip the items that wait; what is under way ends as it ends. BatchStateError if all have ended.

    A sync that only this operation waits for is not made.
    """
    with _held(batch.pk) as batch, database.cursor() as cursor:
        require(user, PERMISSIONS[Operation(batch.operation)])
        if batch.is_finished:
            raise BatchStateError("The operation has ended; nothing waits any more.")
        cursor.execute(FOLLOW_THE_RUN, {"batch": batch.pk})
        waiting = BatchItem.objects.filter(batch=batch, state=BatchItem.State.WAITING)
        # Held, so that nobody joins a run while it ends; in the order in which others hold several.
        runs = SyncRun.objects.filter(state="waiting", pk__in=waiting.filter(run__isnull=False).values("run"))
        held = list(runs.order_by("connection").select_for_update().values_list("pk", flat=True))
        waiting.update(state=BatchItem.State.SKIPPED, message="Cancelled before it began.", run=None)
        cursor.execute(END_UNWANTED_RUNS, {"runs": held})
        batch.cancelled_at = timezone.now()
        batch.save(update_fields=["cancelled_at"])
        _finish(batch)
    return batch


def retry(batch: BatchOperation, user: User | None) -> BatchOperation:
    """Do again what failed, as part of the same operation. BatchStateError if nothing has."""
    with _held(batch.pk) as batch:
        require(user, PERMISSIONS[Operation(batch.operation)])
        failed = BatchItem.objects.filter(batch=batch, state=BatchItem.State.FAILED)
        if not failed.update(state=BatchItem.State.WAITING, message="", run=None):
            raise BatchStateError("No item of the operation has failed.")
        batch.state = BatchOperation.State.WAITING
        batch.position = batch.finished_at = batch.cancelled_at = None
        batch.started_at = timezone.now()
        batch.succeeded = batch.failed = batch.skipped = 0
        batch.save(
            update_fields=[
                "state", "position", "started_at", "finished_at", "cancelled_at",
                "succeeded", "failed", "skipped",
            ]
        )  # fmt: skip
        queue(batch.pk)
    return batch


# --- Upkeep


def revive() -> None:
    """Queue every operation that has items to begin: usually it is queued, unless its task came to grief."""
    to_begin = BatchItem.objects.filter(batch=OuterRef("pk"), state=BatchItem.State.WAITING, run=None)
    for batch_id in BatchOperation.objects.unfinished().filter(Exists(to_begin)).values_list("pk", flat=True):
        queue(batch_id)


def prune() -> int:
    """Delete operations that ended long ago, with their items; return how many."""
    old = BatchOperation.objects.filter(created_at__lt=timezone.now() - KEPT, finished_at__isnull=False)
    pruned = 0
    for batch_id in list(old.order_by("created_at").values_list("pk", flat=True)[:1_000]):
        with transaction.atomic(), database.cursor() as cursor:
            cursor.execute("DELETE FROM accounts_batchitem WHERE batch_id = %s", [batch_id])
            cursor.execute("DELETE FROM accounts_batchoperation WHERE id = %s", [batch_id])
        pruned += 1
    return pruned
