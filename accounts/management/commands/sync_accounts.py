import asyncio
import json
import sys
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from django.core.management.base import CommandError, CommandParser
from django.db.models import Count
from tqdm import tqdm

from accounts.models import Account, Standing, SyncRun
from accounts.sync.foreground import sync_now
from accounts.sync.listing import Listing
from accounts.sync.requests import find_needed_calls
from amazon_accounts.amazon_ads.client import AmazonClient
from amazon_accounts.amazon_ads.pacing.pace import MAX_WAIT_SECONDS
from amazon_accounts.visible_text import escape_line
from tokens.models import Connection
from tokens.people.audit import Action, record_many
from tokens.permissions import SYSTEM
from tokens.processes.commands import OperatorCommand, run_with_amazon

# A higher number would gain little, because all connections share the pace of the calls to Amazon.
MAX_CONCURRENT_SYNCS = 4

# The standings of accounts that somebody has to look at.
TROUBLED = (Standing.SUSPENDED, Standing.AT_RISK, Standing.SET_UP)
COUNTS = ("seen", "created", "changed", "unchanged", "gone", "rejected", "requests", "throttled")


class Command(OperatorCommand):
    help = "Sync the accounts of every live connection, or of the given connections, in this process."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--connection", action="append", type=UUID, default=[], metavar="ID", help="may be repeated"
        )
        parser.add_argument(
            "--wait",
            type=float,
            default=MAX_WAIT_SECONDS,
            metavar="SECONDS",
            help="the longest wait of a call for its turn at Amazon (%(default)g)",
        )
        parser.add_argument("--json", action="store_true", help="print the runs and counts as JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        if not 0 <= options["wait"] < float("inf"):
            raise CommandError("--wait must be a number of seconds, not negative.")
        connections = self._choose(options["connection"])
        record_many(SYSTEM, Action.CONNECTION_SYNC, connections)
        progress = Progress(find_needed_calls([connection.pk for connection in connections]))

        async def sync_chosen(amazon: AmazonClient) -> list[SyncRun]:
            return await sync_all(connections, amazon, options["wait"], progress)

        with progress:
            finished = run_with_amazon(sync_chosen)
        self._print(connections, finished, as_json=options["json"])
        if problems := [run for run in finished if run.state != SyncRun.State.SUCCEEDED]:
            raise CommandError(self._explain(connections, problems))

    def _choose(self, named: Sequence[UUID]) -> list[Connection]:
        if not named:
            return list(Connection.objects.live().filter(paused=False).order_by("pk"))
        known = {connection.pk: connection for connection in Connection.objects.filter(pk__in=named)}
        for connection_id in named:
            if connection_id not in known:
                raise CommandError(f"There is no connection {connection_id}.")
            if reason := known[connection_id].reason_not_synced:
                raise CommandError(f"Connection {connection_id} cannot be synced. {reason}")
        return [known[connection_id] for connection_id in dict.fromkeys(named)]

    def _print(
        self, connections: Sequence[Connection], finished: Sequence[SyncRun], *, as_json: bool
    ) -> None:
        totals = {name: sum(getattr(run, name) for run in finished) for name in COUNTS}
        states = [str(run.state) for run in finished]
        totals |= {state: states.count(state) for state in ("succeeded", "partial", "failed")}
        # A postponed run is in the state waiting again.
        totals["postponed"] = len(states) - sum(totals[state] for state in ("succeeded", "partial", "failed"))
        totals |= _count_standings(connections)
        if as_json:
            self.stdout.write(
                json.dumps(
                    {
                        **totals,
                        "runs": [
                            _as_data(connection, run)
                            for connection, run in zip(connections, finished, strict=True)
                        ],
                    }
                )
            )
        else:
            self.stdout.write(", ".join(f"{number:,} {name}" for name, number in totals.items()))

    def _explain(self, connections: Sequence[Connection], problems: Sequence[SyncRun]) -> str:
        labels = {connection.pk: connection.label for connection in connections}
        run = problems[0]
        word = "postponed" if run.state == SyncRun.State.WAITING else str(run.state)
        more = f" ({len(problems) - 1:,} more)" if len(problems) > 1 else ""
        return " ".join(
            f"Not all was synced. “{labels[run.connection_id]}” {word}: {run.error}{more}".split()
        )


def _count_standings(connections: Sequence[Connection]) -> dict[str, int]:
    """Count the accounts of these connections that Amazon has stopped, may stop, or waits for."""
    accounts = Account.objects.filter(connection__in=connections, standing__in=TROUBLED).order_by()
    counts = dict(accounts.values_list("standing").annotate(Count("pk")))
    return {standing.value: counts.get(standing.value, 0) for standing in TROUBLED}


def _as_data(connection: Connection, run: SyncRun) -> dict[str, Any]:
    postponed = run.state == SyncRun.State.WAITING
    seconds = (
        (run.finished_at - run.started_at).total_seconds() if run.finished_at and run.started_at else None
    )
    return {
        "id": str(run.pk),
        "connection": str(connection.pk),
        "label": connection.label,
        "state": "postponed" if postponed else str(run.state),
        "error": run.error,
        "seconds": seconds,
        **{name: getattr(run, name) for name in COUNTS},
        "sources": run.sources,
    }


async def sync_all(
    connections: Sequence[Connection], amazon: AmazonClient, max_wait: float, progress: "Progress"
) -> list[SyncRun]:
    slots = asyncio.Semaphore(MAX_CONCURRENT_SYNCS)

    async def sync_one(connection: Connection) -> SyncRun:
        async with slots:
            run = await sync_now(
                connection,
                amazon,
                max_wait=max_wait,
                on_progress=lambda listings: progress.show(connection, listings),
                on_waiting=lambda: progress.show_waiting(connection),
            )
        progress.finish(connection)
        return run

    return await asyncio.gather(*(sync_one(connection) for connection in connections))


class Progress:
    """Shows a progress bar if standard error is a terminal: in calls, as many as the last sync of each needed."""

    def __init__(self, needed: Mapping[UUID, int]) -> None:
        self._number = len(needed)
        self._ended = 0
        self._needed = dict(needed)
        self._bar = tqdm(
            total=sum(self._needed.values()) or None,
            unit="call",
            file=sys.stderr,
            disable=not sys.stderr.isatty(),
            dynamic_ncols=True,
            leave=False,
        )
        self._seen: dict[UUID, int] = {}
        self._made: dict[UUID, int] = {}

    def __enter__(self) -> "Progress":
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.close()

    def show(self, connection: Connection, listings: Sequence[Listing]) -> None:
        self._seen[connection.pk] = sum(listing.seen for listing in listings)
        self._made[connection.pk] = sum(stats.requests for listing in listings for stats in listing.calls)
        self._write(f"{sum(self._seen.values()):,} records read")

    def show_waiting(self, connection: Connection) -> None:
        self._write(f"waiting for the worker that syncs “{escape_line(connection.label)}”")

    def finish(self, connection: Connection) -> None:
        self._ended += 1
        # It needs no more calls than it has made.
        self._needed[connection.pk] = self._made.get(connection.pk, 0)
        self._write(f"{sum(self._seen.values()):,} records read")

    def _write(self, text: str) -> None:
        made = sum(self._made.values())
        if self._bar.total is not None:
            needed = [max(self._made.get(key, 0), number) for key, number in self._needed.items()]
            self._bar.total = max(sum(needed), made)
        self._bar.set_postfix_str(f"{self._ended:,} of {self._number:,} logins, {text}", refresh=False)
        self._bar.update(made - self._bar.n)
        self._bar.refresh()
