"""Starting a batch, and starting it again for what failed.

A batch is stored with its items and queued in one transaction. A task does the work (work.py).
"""

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import msgspec
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.db import DEFAULT_DB_ALIAS, IntegrityError, transaction
from django.db import connection as database
from django.db.models import QuerySet

from accounts.batch.audited import count_by_team, describe_batch, name_batch
from accounts.batch.ending import BatchStateError, finish, hold_batch
from accounts.batch.operations import OFFERED, find_permission, require_operation, require_to_steer
from accounts.batch.rows import ACCOUNTS, Rows
from accounts.batch.tasks import queue_batch
from accounts.errors import UnknownObjectError
from accounts.lists.parameters import ListQuery
from accounts.models import AnyItem, BatchOperation
from amazon_accounts.postgresql.clock import approximate_now
from tokens.models.team import Everywhere, find_teams
from tokens.people.audit import Action, record_many
from tokens.people.keys import get_api_key_id, speaks_for_team
from tokens.permissions import System, get_person, read_limits
from tokens.request_order import take_request_number

MAX_ITEMS = 100_000
MAX_KEY_LENGTH = 200  # characters
IDEMPOTENCY_KEY = re.compile(rf"[ -~]{{1,{MAX_KEY_LENGTH}}}")
# Looking for 100,000 ids takes a second. The first ids of a list longer than this are checked before the others, so
# that a list of wrong ids is refused at once.
MIN_IDS_TO_SAMPLE = 1_000
SAMPLE_SIZE = 100

# Around a query of rows that Django compiles. Who may do it everywhere gives no teams.
INSERT_ITEMS = """
WITH chosen AS MATERIALIZED (
    SELECT chosen.id, chosen.team_id, %s OR chosen.team_id = ANY(%s::uuid[]) AS is_permitted
      FROM ({chosen}) chosen (id, team_id)
), inserted AS (
    INSERT INTO {into} SELECT %s, {columns},
           CASE WHEN is_permitted THEN 'waiting' ELSE 'skipped' END, CASE WHEN is_permitted THEN '' ELSE %s END
      FROM chosen
)
SELECT team_id, count(*), count(*) FILTER (WHERE is_permitted) FROM chosen GROUP BY team_id ORDER BY team_id
"""
FIND_MISSING = "SELECT asked.id FROM unnest(%s::uuid[]) asked (id) EXCEPT ({visible}) LIMIT 3"

Filters = ListQuery | Mapping[str, Any]


def start_batch(
    user: User | System,
    operation: str,
    *,
    account_ids: Sequence[Any] | None = None,
    filters: Filters | None = None,
    options: Mapping[str, Any] | None = None,
    idempotency_key: str | None = None,
    max_items: int = MAX_ITEMS,
) -> BatchOperation:
    """Store a batch of accounts, as `start_batch_of` does."""
    return start_batch_of(
        ACCOUNTS,
        user,
        operation,
        ids=account_ids,
        filters=filters,
        options=options,
        idempotency_key=idempotency_key,
        max_items=max_items,
    )


def start_batch_of(
    rows: Rows,
    user: User | System,
    operation: str,
    *,
    ids: Sequence[Any] | None = None,
    filters: Filters | None = None,
    options: Mapping[str, Any] | None = None,
    idempotency_key: str | None = None,
    max_items: int = MAX_ITEMS,
) -> BatchOperation:
    """Store a batch of these accounts or connections, or of all that the filters choose, and queue it.

    Raises ValidationError by field for a wrong request, UnknownObjectError for ids of rows that the person does not
    see, and PermissionDenied with the missing permission. Then nothing is stored. The same `idempotency_key` with the
    same request returns the batch that exists.
    """
    request = _Request(rows, operation, ids, filters, dict(options or {}))
    _check_request(user, request, idempotency_key, max_items)
    require_operation(user, rows.subject, operation)
    # The digest tells a repeated request from another request that uses the same key by mistake.
    digest = request.digest if idempotency_key else ""
    if existing := _find_existing(user, idempotency_key, digest):
        return existing
    read = None if ids is None else _read_ids(user, rows, ids)
    chosen = _filter(user, request) if read is None else rows.find(user, read)
    batch = BatchOperation(
        user=get_person(user),
        by_team_key=speaks_for_team(user),
        asked_by_key=get_api_key_id(user),
        subject=rows.subject,
        operation=operation,
        options=request.options,
        filter=request.stored_filter,
        idempotency_key=idempotency_key,
        request_digest=digest,
    )
    try:
        store_batch(user, batch, rows, chosen, ids=read, max_items=max_items)
    except IntegrityError:
        # Two requests came at once with the same key, and the other request was stored first.
        if existing := _find_existing(user, idempotency_key, digest):
            return existing
        raise
    return batch


@dataclass(frozen=True)
class _Request:
    rows: Rows
    operation: str
    ids: Sequence[Any] | None
    filters: Filters | None
    options: dict[str, Any]

    @property
    def stored_filter(self) -> Mapping[str, Any] | None:
        return self.filters.as_object() if isinstance(self.filters, ListQuery) else self.filters

    @property
    def digest(self) -> str:
        asked = {
            "operation": self.operation,
            self.rows.ids: self.ids,
            "filter": self.stored_filter,
            "options": self.options,
        }
        return hashlib.sha256(json.dumps(asked, sort_keys=True, default=str).encode()).hexdigest()


def retry_batch(user: User | System, batch: BatchOperation, *, cause: str | None = None) -> BatchOperation:
    """Do the failed items again, in the same batch; with `cause` those that failed because of it.

    Raises BatchStateError if no such item failed.

    A retry is a new request: for these rows it is newer than everything that was asked before it.
    """
    with hold_batch(batch.pk) as batch:
        require_to_steer(user, batch)
        failed = batch.list_items().filter(state=AnyItem.State.FAILED)
        if cause is not None:
            failed = failed.filter(cause=cause)
        # The person may have left a team since.
        failed = failed.allowing(user, find_permission(batch))
        again = count_by_team(failed, batch, "again")
        if not again:
            raise BatchStateError("No item of the operation has failed.")
        batch.state = BatchOperation.State.WAITING
        number = take_request_number().number
        failed.update(state=AnyItem.State.WAITING, message="", cause="", run=None, request_number=number)
        # The failed items may be anywhere, so the work starts again from the first row.
        batch.position = batch.finished_at = batch.cancelled_at = None
        batch.started_at = approximate_now()
        batch.succeeded = batch.failed = batch.skipped = 0
        batch.save(
            update_fields=[
                "state",
                "position",
                "started_at",
                "finished_at",
                "cancelled_at",
                "succeeded",
                "failed",
                "skipped",
            ]
        )
        record_many(user, Action.BATCH_RETRY, name_batch(batch, again), after=describe_batch(batch))
        queue_batch(batch)
    return batch


def _check_request(
    user: User | System, request: _Request, idempotency_key: str | None, max_items: int
) -> None:
    rows, ids, offered = request.rows, request.ids, OFFERED[request.rows.subject]
    errors: dict[str, str] = {}
    # All errors are collected, so that a person can correct them at once.
    if request.operation not in offered:
        errors["operation"] = f"It must be one of: {', '.join(offered)}."
    if (ids is None) == (request.filters is None):
        errors[rows.ids] = f"Give either `{rows.ids}` or `filter`."
    elif ids is not None and not 1 <= len(ids) <= max_items:
        errors[rows.ids] = f"There must be 1 to {max_items:,} ids; there are {len(ids):,}."
    if idempotency_key is not None and not IDEMPOTENCY_KEY.fullmatch(idempotency_key):
        errors["Idempotency-Key"] = (
            f"It must have 1 to {MAX_KEY_LENGTH} characters, all of them printable ASCII."
        )
    if missing := rows.find_missing_options(request.operation, request.options):
        errors["options"] = missing
    if errors:
        raise ValidationError(errors)
    rows.check_options(user, request.operation, request.options)


def _find_existing(user: User | System, idempotency_key: str | None, digest: str) -> BatchOperation | None:
    if idempotency_key is None:
        return None
    existing = BatchOperation.objects.filter(user=get_person(user), idempotency_key=idempotency_key).first()
    if existing is None:
        return None
    # Keys of one person may be limited to different teams.
    is_hidden = bool(existing.team_ids) and not (
        BatchOperation.objects.visible_to(user).filter(pk=existing.pk).exists()
    )
    if is_hidden or existing.request_digest != digest:
        raise ValidationError({"Idempotency-Key": "It was used before, for another request."})
    return existing


def _read_ids(user: User | System, rows: Rows, given: Sequence[Any]) -> list[UUID]:
    if len(given) > MIN_IDS_TO_SAMPLE:
        sample = list(set(_parse_ids(rows, given[:SAMPLE_SIZE])))
        visible = rows.find(user, sample)
        if missing := len(sample) - visible.count():
            raise UnknownObjectError({rows.ids: _describe_missing(visible, sample, missing)})
    ids = _parse_ids(rows, given)
    if len(set(ids)) != len(ids):
        raise ValidationError({rows.ids: "Each id may be given once."})
    return ids


def _parse_ids(rows: Rows, values: Sequence[Any]) -> list[UUID]:
    # msgspec reads 100,000 ids in a third of the time that UUID() takes. Its errors do not name the wrong value.
    try:
        return msgspec.convert(values, list[UUID])
    except msgspec.ValidationError:
        wrong = next(value for value in values if not _is_id(value))
    if isinstance(wrong, str):
        raise ValidationError({rows.ids: f"“{wrong[:40]}” is not the id of {rows.one}."})
    raise ValidationError({rows.ids: "Each id must be a string."})


def _is_id(value: Any) -> bool:
    try:
        msgspec.convert(value, UUID)
    except msgspec.ValidationError:
        return False
    return True


def _filter(user: User | System, request: _Request) -> QuerySet[Any]:
    try:
        return request.rows.filter(user, request.filters or {})
    except ValidationError as error:
        named = {f"filter.{name}": messages for name, messages in error.message_dict.items()}
        # An UnknownObjectError keeps its type, because the API answers it with 404.
        raise type(error)(named) from None


@transaction.atomic
def store_batch(
    user: User | System,
    batch: BatchOperation,
    rows: Rows,
    chosen: QuerySet[Any],
    *,
    ids: list[UUID] | None = None,
    max_items: int = MAX_ITEMS,
) -> None:
    """Store the batch with an item for each of the chosen rows, record it, and queue it."""
    # The batch holds the number of its items, so the items are inserted first. An error below rolls them back.
    permitted, numbers = _insert_items(
        user, batch, rows, chosen.order_by("pk").values_list("pk", "team")[: max_items + 1]
    )
    if ids is not None and (missing := len(ids) - batch.total):
        raise UnknownObjectError({rows.ids: _describe_missing(chosen, ids, missing)})
    if batch.total > max_items:
        raise ValidationError(
            {"filter": f"It chooses more than {max_items:,} {batch.subject}. Narrow it down."}
        )
    batch.save(force_insert=True)
    # One entry for all rows of a team. The items and the changes say the rest.
    record_many(user, Action.BATCH_START, name_batch(batch, numbers), after=describe_batch(batch))
    if permitted:
        queue_batch(batch)
    else:
        finish(batch, BatchOperation.State.SUCCEEDED, {AnyItem.State.SKIPPED: batch.total})


def _insert_items(
    user: User | System, batch: BatchOperation, rows: Rows, chosen: QuerySet[Any, Any]
) -> tuple[int, dict[UUID, dict[str, int]]]:
    """Insert the items; return how many of them the person may do, and how many rows each team has."""
    # One statement inserts the items, and no id passes through Python.
    statement, parameters = _compile(chosen)
    teams = find_teams(user, find_permission(batch))
    is_everywhere = isinstance(teams, Everywhere)
    permitted_teams = [] if isinstance(teams, Everywhere) else list(teams)
    with database.cursor() as cursor:
        cursor.execute(
            INSERT_ITEMS.format(chosen=statement, into=rows.into, columns=rows.columns),
            [is_everywhere, permitted_teams, *parameters, batch.pk, rows.not_permitted],
        )
        inserted = cursor.fetchall()
    batch.total = sum(total for _, total, _ in inserted)
    batch.team_ids = [team for team, _, _ in inserted] or _list_team_of_key(user)
    numbers = {team: {str(batch.subject): total} for team, total, _ in inserted}
    return sum(permitted for _, _, permitted in inserted), numbers


def _list_team_of_key(user: User | System) -> list[UUID]:
    team = None if isinstance(user, System) else read_limits(user).team_id
    return [] if team is None else [team]


def _describe_missing(found: QuerySet[Any], ids: list[UUID], missing: int) -> str:
    visible, parameters = _compile(found.order_by().values_list("pk"))
    with database.cursor() as cursor:
        cursor.execute(FIND_MISSING.format(visible=visible), [ids, *parameters])
        some = ", ".join(str(row_id) for (row_id,) in cursor.fetchall())
    return f"{missing:,} of {len(ids):,} {'is' if missing == 1 else 'are'} not there, among them {some}."


def _compile(ids: QuerySet[Any, Any]) -> tuple[str, tuple[Any, ...]]:
    # `elide_empty=False` makes Django compile a queryset that it knows to be empty.
    statement: tuple[str, tuple[Any, ...]] = ids.query.get_compiler(
        DEFAULT_DB_ALIAS, elide_empty=False
    ).as_sql()
    return statement
