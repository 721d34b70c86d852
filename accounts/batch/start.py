"""Starting a batch, and starting it again for what failed.

A batch is stored with its items and queued in one transaction. A task does the work (work.py).
"""

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
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
from accounts.batch.operations import PERMISSIONS, Operation, require_operation, require_to_steer
from accounts.batch.tasks import queue_batch
from accounts.errors import UnknownObjectError
from accounts.lists.any_of import id_is_one_of
from accounts.lists.filters import filter_accounts
from accounts.lists.parameters import ListQuery, read_account_query
from accounts.models import Account, BatchItem, BatchOperation
from accounts.models.account import AccountQuerySet
from accounts.update import check_changes
from amazon_accounts.postgresql.clock import approximate_now
from tokens.models.team import Everywhere, find_teams
from tokens.people.audit import Action, record_many
from tokens.people.keys import speaks_for_team
from tokens.permissions import System, get_person, read_limits
from tokens.request_order import take_request_number

MAX_ITEMS = 100_000
MAX_KEY_LENGTH = 200  # characters
IDEMPOTENCY_KEY = re.compile(rf"[ -~]{{1,{MAX_KEY_LENGTH}}}")
# Looking for 100,000 ids takes a second. The first ids of a list longer than this are checked before the others, so
# that a list of wrong ids is refused at once.
MIN_IDS_TO_SAMPLE = 1_000
SAMPLE_SIZE = 100

UPDATE_OPTIONS = ("labels", "sync_enabled")

NOT_PERMITTED = "You may not do this in the team of the account."
# Around a query of accounts that Django compiles. Who may do it everywhere gives no teams.
INSERT_ITEMS = """
WITH chosen AS MATERIALIZED (
    SELECT chosen.id, chosen.team_id, %s OR chosen.team_id = ANY(%s::uuid[]) AS is_permitted
      FROM ({chosen}) chosen (id, team_id)
), inserted AS (
    INSERT INTO accounts_batchitem (batch_id, account_id, state, message)
    SELECT %s, id, CASE WHEN is_permitted THEN 'waiting' ELSE 'skipped' END, CASE WHEN is_permitted THEN '' ELSE %s END
      FROM chosen
)
SELECT team_id, count(*), count(*) FILTER (WHERE is_permitted) FROM chosen GROUP BY team_id ORDER BY team_id
"""
FIND_MISSING = "SELECT asked.id FROM unnest(%s::uuid[]) asked (id) EXCEPT ({visible}) LIMIT 3"


def start_batch(
    user: User | System,
    operation: str,
    *,
    account_ids: Sequence[Any] | None = None,
    filters: ListQuery | Mapping[str, Any] | None = None,
    options: Mapping[str, Any] | None = None,
    idempotency_key: str | None = None,
    max_items: int = MAX_ITEMS,
) -> BatchOperation:
    """Store a batch of these accounts, or of all that the filters choose, and queue it.

    Raises ValidationError by field for a wrong request, UnknownObjectError for ids of accounts that the person does
    not see, and PermissionDenied with the missing permission. Then nothing is stored. The same `idempotency_key` with
    the same request returns the batch that exists.
    """
    request = {
        "operation": operation,
        "account_ids": account_ids,
        "filter": filters.as_object() if isinstance(filters, ListQuery) else filters,
        "options": dict(options or {}),
    }
    _check_request(request, idempotency_key, max_items)
    require_operation(user, operation)
    # The digest tells a repeated request from another request that uses the same key by mistake.
    digest = _digest(request) if idempotency_key else ""
    if existing := _find_existing(user, idempotency_key, digest):
        return existing
    ids = None if account_ids is None else _read_ids(user, account_ids)
    accounts = _filter_accounts(user, filters or {}) if ids is None else _visible_accounts(user, ids)
    batch = BatchOperation(
        user=get_person(user),
        by_team_key=speaks_for_team(user),
        operation=operation,
        options=request["options"],
        filter=request["filter"],
        idempotency_key=idempotency_key,
        request_digest=digest,
    )
    try:
        _store(user, batch, accounts, ids, max_items)
    except IntegrityError:
        # Two requests came at once with the same key, and the other request was stored first.
        if existing := _find_existing(user, idempotency_key, digest):
            return existing
        raise
    return batch


def retry_batch(user: User | System, batch: BatchOperation) -> BatchOperation:
    """Do the failed items again, in the same batch. Raises BatchStateError if no item failed.

    A retry is a new request: for these accounts it is newer than everything that was asked before it.
    """
    with hold_batch(batch.pk) as batch:
        require_to_steer(user, batch)
        permitted = Account.objects.allowing(user, PERMISSIONS[Operation(batch.operation)])
        failed = BatchItem.objects.filter(batch=batch, state=BatchItem.State.FAILED)
        # The person may have left a team since.
        failed = failed.filter(account__in=permitted)
        again = count_by_team(failed, "again")
        if not again:
            raise BatchStateError("No item of the operation has failed.")
        batch.state = BatchOperation.State.WAITING
        number = take_request_number().number
        failed.update(state=BatchItem.State.WAITING, message="", run=None, request_number=number)
        # The failed items may be anywhere, so the work starts again from the first account.
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
        queue_batch(batch.pk)
    return batch


def _check_request(request: Mapping[str, Any], idempotency_key: str | None, max_items: int) -> None:
    operation, ids, options = request["operation"], request["account_ids"], request["options"]
    errors: dict[str, str] = {}
    # All errors are collected, so that a person can correct them at once.
    if operation not in Operation.values:
        errors["operation"] = f"It must be one of: {', '.join(Operation.values)}."
    if (ids is None) == (request["filter"] is None):
        errors["account_ids"] = "Give either `account_ids` or `filter`."
    elif ids is not None and not 1 <= len(ids) <= max_items:
        errors["account_ids"] = f"There must be 1 to {max_items:,} ids; there are {len(ids):,}."
    if idempotency_key is not None and not IDEMPOTENCY_KEY.fullmatch(idempotency_key):
        errors["Idempotency-Key"] = (
            f"It must have 1 to {MAX_KEY_LENGTH} characters, all of them printable ASCII."
        )
    if operation == Operation.UPDATE and not options:
        errors["options"] = f"An update needs any of: {', '.join(UPDATE_OPTIONS)}."
    if errors:
        raise ValidationError(errors)
    if operation == Operation.UPDATE:
        check_changes(options, UPDATE_OPTIONS, within="options")
        if options.get("labels") == {}:
            raise ValidationError({"options.labels": "It must name at least one label."})
    elif options:
        raise ValidationError({"options": f"“{operation}” takes no options."})


def _digest(request: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(request, sort_keys=True, default=str).encode()).hexdigest()


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


def _read_ids(user: User | System, account_ids: Sequence[Any]) -> list[UUID]:
    if len(account_ids) > MIN_IDS_TO_SAMPLE:
        sample = list(set(_parse_ids(account_ids[:SAMPLE_SIZE])))
        visible = _visible_accounts(user, sample)
        if missing := len(sample) - visible.count():
            raise UnknownObjectError({"account_ids": _describe_missing(visible, sample, missing)})
    ids = _parse_ids(account_ids)
    if len(set(ids)) != len(ids):
        raise ValidationError({"account_ids": "Each id may be given once."})
    return ids


def _parse_ids(values: Sequence[Any]) -> list[UUID]:
    # msgspec reads 100,000 ids in a third of the time that UUID() takes. Its errors do not name the wrong value.
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


def _visible_accounts(user: User | System, ids: list[UUID]) -> AccountQuerySet:
    accounts = Account.objects.visible_to(user)
    return accounts.filter(id_is_one_of(ids))


def _filter_accounts(user: User | System, filters: ListQuery | Mapping[str, Any]) -> AccountQuerySet:
    try:
        query = filters if isinstance(filters, ListQuery) else read_account_query(filters)
        return filter_accounts(user, query.check())
    except ValidationError as error:
        named = {f"filter.{name}": messages for name, messages in error.message_dict.items()}
        # An UnknownObjectError keeps its type, because the API answers it with 404.
        raise type(error)(named) from None


@transaction.atomic
def _store(
    user: User | System,
    batch: BatchOperation,
    accounts: AccountQuerySet,
    ids: list[UUID] | None,
    max_items: int,
) -> None:
    # The batch holds the number of its items, so the items are inserted first. An error below rolls them back.
    chosen = accounts.order_by("pk").values_list("pk", "team")[: max_items + 1]
    permitted, numbers = _insert_items(user, batch, chosen)
    if ids is not None and (missing := len(ids) - batch.total):
        raise UnknownObjectError({"account_ids": _describe_missing(accounts, ids, missing)})
    if batch.total > max_items:
        raise ValidationError({"filter": f"It chooses more than {max_items:,} accounts. Narrow it down."})
    batch.save(force_insert=True)
    # One entry for all accounts of a team. The items and the changes of accounts say the rest.
    record_many(user, Action.BATCH_START, name_batch(batch, numbers), after=describe_batch(batch))
    if permitted:
        queue_batch(batch.pk)
    else:
        finish(batch, BatchOperation.State.SUCCEEDED, {BatchItem.State.SKIPPED: batch.total})


def _insert_items(
    user: User | System, batch: BatchOperation, chosen: QuerySet[Any, Any]
) -> tuple[int, dict[UUID, dict[str, int]]]:
    """Insert the items; return how many of them the person may do, and how many accounts each team has."""
    # One statement inserts the items, and no id of an account passes through Python.
    statement, parameters = _compile(chosen)
    teams = find_teams(user, PERMISSIONS[Operation(batch.operation)])
    is_everywhere = isinstance(teams, Everywhere)
    permitted_teams = [] if isinstance(teams, Everywhere) else list(teams)
    with database.cursor() as cursor:
        cursor.execute(
            INSERT_ITEMS.format(chosen=statement),
            [is_everywhere, permitted_teams, *parameters, batch.pk, NOT_PERMITTED],
        )
        rows = cursor.fetchall()
    batch.total = sum(total for _, total, _ in rows)
    batch.team_ids = [team for team, _, _ in rows] or _list_team_of_key(user)
    numbers = {team: {"accounts": total} for team, total, _ in rows}
    return sum(permitted for _, _, permitted in rows), numbers


def _list_team_of_key(user: User | System) -> list[UUID]:
    team = None if isinstance(user, System) else read_limits(user).team_id
    return [] if team is None else [team]


def _describe_missing(accounts: AccountQuerySet, ids: list[UUID], missing: int) -> str:
    visible, parameters = _compile(accounts.order_by().values_list("pk"))
    with database.cursor() as cursor:
        cursor.execute(FIND_MISSING.format(visible=visible), [ids, *parameters])
        some = ", ".join(str(account_id) for (account_id,) in cursor.fetchall())
    return f"{missing:,} of {len(ids):,} {'is' if missing == 1 else 'are'} not there, among them {some}."


def _compile(account_ids: QuerySet[Any, Any]) -> tuple[str, tuple[Any, ...]]:
    # `elide_empty=False` makes Django compile a queryset that it knows to be empty.
    statement: tuple[str, tuple[Any, ...]] = account_ids.query.get_compiler(
        DEFAULT_DB_ALIAS, elide_empty=False
    ).as_sql()
    return statement
