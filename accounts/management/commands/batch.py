import asyncio
import json
import sys
from collections.abc import Sequence
from typing import Any, TextIO, cast
from uuid import UUID

from django.core.exceptions import ValidationError
from django.core.management.base import CommandError, CommandParser
from django.http import QueryDict
from tqdm import tqdm

from accounts.batch import start_batch_of
from accounts.batch.calls import count_calls
from accounts.batch.ending import settle_syncs
from accounts.batch.operations import OFFERED
from accounts.batch.rows import ACCOUNTS, ROWS, Rows
from accounts.batch.waits import find_waits_of, join_waits
from accounts.batch.work import run_chunk
from accounts.lists.parameters import PAGE_PARAMETERS, ListQuery
from accounts.models import AnyItem, BatchOperation, SyncRun
from accounts.strict_json import BadJSONError, read_json
from accounts.sync.claims import AnotherRunActiveError, RunTakenError
from accounts.sync.rescue import rescue_runs
from accounts.sync.run import sync_connection
from amazon_accounts.amazon_ads.client import AmazonClient
from amazon_accounts.given_files import read_given_rows
from amazon_accounts.postgresql.threads import in_thread
from tokens.models import Team
from tokens.permissions import SYSTEM
from tokens.processes.commands import OperatorCommand, run_with_amazon

# Connections synced at once. All of them share Amazon's pace.
MAX_CONCURRENCY = 4
POLL_SECONDS = 0.5
SHOW_SECONDS = 1.0
MAX_MESSAGES = 5  # of failed items
# The columns with our ids of accounts, in the exports of accounts and of the results of an operation.
ID_COLUMNS = ("id", "account_id", "connection_id")


class Command(OperatorCommand):
    help = "Act on many accounts or connections now, in this process. Running workers may help."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "operation",
            metavar="OPERATION",
            help="; ".join(f"of {subject}: {', '.join(offered)}" for subject, offered in OFFERED.items()),
        )
        parser.add_argument(
            "--on", choices=list(ROWS), default=ACCOUNTS.subject.value, help="accounts if it is left out"
        )
        chosen = parser.add_mutually_exclusive_group(required=True)
        chosen.add_argument(
            "--ids",
            metavar="FILE",
            help="our ids, one a line, or an export as CSV; - is standard input",
        )
        chosen.add_argument(
            "--filter",
            metavar="QUERY",
            help="as in the query string of GET accounts/ or connections/; '' is all",
        )
        parser.add_argument("--labels", metavar="JSON", help='for update: {"set": "this", "remove": null}')
        parser.add_argument("--to", metavar="TEAM", help="for move: the name of the team that gets them")
        parser.add_argument("--json", action="store_true", help="print the counts as JSON")

    # As in `createsuperuser`, callers may pass `stdin`.
    stealth_options = ("stdin",)

    def handle(self, *args: Any, **options: Any) -> None:
        batch = self._start(options)
        with _Progress(batch) as progress:
            if not batch.is_finished:
                run_with_amazon(lambda amazon: _follow(batch.pk, amazon, progress))
        batch.refresh_from_db()
        counts = {"total": batch.total} | batch.count_items()
        if options["json"]:
            self.stdout.write(json.dumps({"id": str(batch.pk), "state": batch.state, **counts}))
        else:
            self.stdout.write(", ".join(f"{number:,} {name}" for name, number in counts.items()))
        if batch.state != BatchOperation.State.SUCCEEDED:
            raise CommandError(_explanation(batch))

    def _start(self, options: dict[str, Any]) -> BatchOperation:
        stdin = cast("TextIO", options.get("stdin", sys.stdin))
        try:
            rows = ROWS[options["on"]]
            return start_batch_of(
                rows,
                SYSTEM,
                options["operation"],
                ids=None if options["ids"] is None else _read_ids(options["ids"], stdin),
                filters=None if options["filter"] is None else _read_query(rows, options["filter"]),
                options=_read_options(options),
            )
        except ValidationError as error:
            raise CommandError(
                " ".join(f"{field}: {' '.join(texts)}" for field, texts in error.message_dict.items())
            ) from error


def _read_ids(name: str, stdin: TextIO) -> list[str]:
    # One id a line, or a table such as our own exports, whose header names the column with the ids.
    rows = [cells for _, cells in read_given_rows(name, stdin, _is_divided_rightly)]
    column = _find_id_column(rows[0]) if rows else None
    if column is not None:
        return [cells[column] for cells in rows[1:] if column < len(cells)]
    return [word for cells in rows for cell in cells for word in cell.split()]


def _is_divided_rightly(cells: Sequence[str]) -> bool:
    return len(cells) > 1 and (
        _find_id_column(cells) is not None or all(_is_id(cell) for cell in cells if cell)
    )


def _find_id_column(header: Sequence[str]) -> int | None:
    names = [cell.lower() for cell in header]
    return next((names.index(name) for name in ID_COLUMNS if name in names), None)


def _is_id(text: str) -> bool:
    try:
        UUID(text)
    except ValueError:
        return False
    return True


def _read_query(rows: Rows, query: str) -> ListQuery:
    return rows.read_query(QueryDict(query.removeprefix("?")), ignored=PAGE_PARAMETERS)


def _read_options(given: dict[str, Any]) -> dict[str, Any]:
    options = {}
    if given["labels"] is not None:
        options["labels"] = _read_labels(given["labels"])
    if given["to"] is not None:
        team = Team.objects.filter(name__iexact=given["to"].strip()).first()
        if team is None:
            raise CommandError(f"There is no team {given['to']!r}. `manage.py team NAME` makes a team.")
        options["team"] = str(team.pk)
    return options


def _read_labels(text: str) -> Any:
    try:
        return read_json(text)
    except BadJSONError as error:
        raise CommandError(f"--labels: {error}") from error


async def _follow(batch_id: UUID, amazon: AmazonClient, progress: "_Progress") -> None:
    showing = asyncio.create_task(progress.keep_showing())
    try:
        await _do(batch_id, amazon, progress)
    finally:
        showing.cancel()


async def _do(batch_id: UUID, amazon: AmazonClient, progress: "_Progress") -> None:
    # Workers may do parts of the batch at the same time. The loop ends when everything has ended or is postponed.
    while await in_thread(run_chunk)(batch_id):
        await in_thread(progress.show)()
    slots = asyncio.Semaphore(MAX_CONCURRENCY)

    async def sync(run_id: UUID) -> SyncRun | None:
        # None means that another process has the run, or that another run of its connection is active.
        async with slots:
            try:
                run = await sync_connection(run_id, amazon)
            except (RunTakenError, AnotherRunActiveError):
                return None
            await in_thread(settle_syncs)(run_id)
            await in_thread(progress.show)()
            return run

    while not await in_thread(progress.show)():
        waiting = await in_thread(_waiting_runs)(batch_id)
        ours = [run for run in await asyncio.gather(*map(sync, waiting)) if run is not None]
        if any(run.finished_at is None for run in ours):
            # Amazon asked for a long pause, so the run was put back in the queue.
            return
        # The scheduler may not run, so the command itself looks for runs whose worker died.
        await in_thread(settle_syncs)()
        await in_thread(rescue_runs)()
        if not ours:
            await asyncio.sleep(POLL_SECONDS)


def _waiting_runs(batch_id: UUID) -> list[UUID]:
    items = BatchOperation.objects.get(pk=batch_id).list_items().filter(run__state=SyncRun.State.WAITING)
    return list(items.order_by("run_id").values_list("run_id", flat=True).distinct())


def _explanation(batch: BatchOperation) -> str:
    if not batch.is_finished:
        wait = join_waits(find_waits_of(batch))
        pause = f" since {wait.since:%H:%M} UTC, until {wait.until:%H:%M} UTC. {wait.reason}" if wait else "."
        return f"Not all is done: Amazon asked us to wait{pause.rstrip()} A worker goes on by itself."
    failed = batch.list_items().filter(state=AnyItem.State.FAILED)
    texts = list(failed.order_by("message").values_list("message", flat=True).distinct()[:MAX_MESSAGES])
    return " ".join(" ".join([f"{batch.failed:,} of {batch.total:,} failed.", *texts]).split())


class _Progress:
    """A bar on a terminal, nothing elsewhere."""

    def __init__(self, batch: BatchOperation) -> None:
        self._batch = batch
        self._bar = tqdm(
            total=batch.total, unit=batch.noun, file=sys.stderr, disable=not sys.stderr.isatty(),
            dynamic_ncols=True, leave=False,
        )  # fmt: skip

    def __enter__(self) -> "_Progress":
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.close()

    async def keep_showing(self) -> None:
        # The accounts of a sync end while it runs.
        while not self._bar.disable:
            await asyncio.sleep(SHOW_SECONDS)
            await in_thread(self.show)()

    def show(self) -> bool:
        self._batch.refresh_from_db()
        counts = self._batch.count_items()
        if (calls := count_calls(self._batch)) is not None and calls.made:
            left = f", about {calls.left:,} left" if calls.left and not calls.unknown else ""
            self._bar.set_postfix_str(f"{calls.made:,} calls made{left}", refresh=False)
        self._bar.update(self._batch.total - counts["waiting"] - counts["running"] - self._bar.n)
        return self._batch.is_finished
