import json
from typing import Any
from uuid import UUID

from django.core.management.base import CommandError, CommandParser

from amazon_accounts.amazon_ads.client import AmazonClient
from amazon_accounts.amazon_ads.pacing.pace import MAX_WAIT_SECONDS
from tokens.errors import ERRORS
from tokens.models import Connection, TokenRefresh
from tokens.people.audit import Action, AuditedObject, record_many
from tokens.permissions import SYSTEM
from tokens.processes.commands import OperatorCommand, add_advice, run_with_amazon
from tokens.refresh.counts import RefreshCounts
from tokens.refresh.due import refresh_due
from tokens.refresh.one import refresh_connections


class Command(OperatorCommand):
    help = "Refresh tokens now, in this process. Without an option, only the connections that are due are refreshed."

    def add_arguments(self, parser: CommandParser) -> None:
        which = parser.add_mutually_exclusive_group()
        which.add_argument("--all", action="store_true", help="every live connection, due or not")
        which.add_argument(
            "--connection",
            action="append",
            type=UUID,
            default=[],
            metavar="ID",
            help="this connection; may be repeated",
        )
        parser.add_argument(
            "--wait",
            type=float,
            default=MAX_WAIT_SECONDS,
            metavar="SECONDS",
            help="how long to wait for a slot (%(default)g)",
        )
        parser.add_argument("--json", action="store_true", help="print the counts as JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["wait"] < 0:
            raise CommandError("--wait must not be negative.")
        ids = self._chosen(everything=options["all"], named=options["connection"])
        # Without names the command does what the schedule does anyway.
        asked = [""] if ids is None else map(str, ids)
        record_many(SYSTEM, Action.CONNECTION_REFRESH, [AuditedObject("connection", each) for each in asked])

        async def operation(amazon: AmazonClient) -> RefreshCounts:
            if ids is None:
                return await refresh_due(amazon, max_wait=options["wait"])
            return await refresh_connections(
                ids, TokenRefresh.Trigger.MANUAL, amazon, max_wait=options["wait"]
            )

        counts = run_with_amazon(operation)
        self._print(counts, as_json=options["json"])
        if not counts.all_succeeded:
            raise CommandError(self._reasons(ids))

    def _chosen(self, *, everything: bool, named: list[UUID]) -> list[UUID] | None:
        if everything:
            return list(Connection.objects.live().order_by("pk").values_list("pk", flat=True))
        if not named:
            return None
        known = {connection.pk: connection for connection in Connection.objects.filter(pk__in=named)}
        for connection_id in named:
            if connection_id not in known:
                raise CommandError(f"There is no connection {connection_id}.")
            if reason := known[connection_id].reason_unusable:
                raise CommandError(f"Connection {connection_id} cannot be refreshed. {reason}")
        return list(dict.fromkeys(named))

    def _print(self, counts: RefreshCounts, *, as_json: bool) -> None:
        summary = {
            "refreshed": counts[TokenRefresh.Outcome.SUCCEEDED.value],
            "postponed": counts[TokenRefresh.Outcome.POSTPONED.value],
            "skipped": counts["skipped"],
        }
        summary["failed"] = counts.total() - sum(summary.values())
        if as_json:
            self.stdout.write(json.dumps({**summary, "outcomes": dict(counts)}))
        else:
            self.stdout.write(", ".join(f"{number} {name}" for name, number in summary.items()))

    def _reasons(self, ids: list[UUID] | None) -> str:
        failed = TokenRefresh.objects.exclude(outcome=TokenRefresh.Outcome.SUCCEEDED).exclude(error="")
        if ids is not None:
            failed = failed.filter(connection__in=ids)
        latest = failed.order_by("-started_at").first()
        if latest is None or latest.outcome not in ERRORS:
            return "Not all were refreshed."
        return f"Not all were refreshed. {add_advice(ERRORS[latest.outcome](latest.error))}"
