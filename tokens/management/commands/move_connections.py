import json
from typing import Any
from uuid import UUID

from django.core.management.base import CommandError, CommandParser

from tokens.connect.move import MoveRefusedError, move_connection
from tokens.models import Connection, Team
from tokens.permissions import SYSTEM
from tokens.processes.commands import OperatorCommand


class Command(OperatorCommand):
    help = (
        "Move connections with all their accounts, labels and history to another team, one after another. A connection "
        "whose login the team has already is left where it is, with the reason. Prints counts last."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--to", metavar="TEAM", required=True, help="the name of the team that gets them")
        which = parser.add_mutually_exclusive_group(required=True)
        which.add_argument("--from", dest="origin", metavar="TEAM", help="all connections of this team")
        which.add_argument(
            "--connection",
            metavar="ID",
            type=UUID,
            nargs="+",
            action="extend",
            help="ids of connections",
        )
        parser.add_argument("--json", action="store_true", help="print the counts as JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        team = _find(options["to"])
        connections = self._choose(options, team)
        moved = refused = 0
        for connection in connections:
            try:
                move_connection(SYSTEM, connection, team)
            except MoveRefusedError as error:
                refused += 1
                self.stderr.write(f"{connection.label} ({connection.pk}) was left. {error}")
            else:
                moved += 1
                self.stderr.write(f"{connection.label} ({connection.pk}) is in “{team}”.")
        counts = {"moved": moved, "refused": refused}
        self.stdout.write(json.dumps(counts) if options["json"] else f"{moved:,} moved, {refused:,} refused")
        if refused:
            raise CommandError(f"{refused:,} of {len(connections):,} connections were not moved.")

    def _choose(self, options: dict[str, Any], team: Team) -> list[Connection]:
        rows = Connection.objects.defer("access_token", "refresh_token")
        if options["origin"] is not None:
            origin = _find(options["origin"])
            if origin == team:
                raise CommandError(f"--from and --to name the same team, “{team}”.")
            return list(rows.filter(team=origin))
        found = {row.pk: row for row in rows.filter(pk__in=options["connection"])}
        if missing := [str(each) for each in options["connection"] if each not in found]:
            raise CommandError(f"There is no connection {missing[0]}. Nothing was moved.")
        return list(found.values())


def _find(name: str) -> Team:
    team = Team.objects.filter(name__iexact=name.strip()).first()
    if team is None:
        raise CommandError(f"There is no team {name!r}. `manage.py team NAME` makes a team.")
    return team
