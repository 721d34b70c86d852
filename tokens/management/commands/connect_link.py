from typing import Any
from uuid import UUID

from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.core.management.base import CommandError, CommandParser

from tokens.connect.forms import RegionsField
from tokens.connect.links import MAX_DAYS, USUAL_DAYS, make_connect_link
from tokens.models import Connection, Team
from tokens.people.teams import find_first_administrator
from tokens.permissions import SYSTEM
from tokens.processes.commands import OperatorCommand


class Command(OperatorCommand):
    help = (
        "Make a client link, by which somebody without a login here connects or renews an Amazon login, and print it "
        "last. It is shown only now, because only its digest is stored."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--team", metavar="NAME", required=True, help="the team that gets the connection")
        parser.add_argument(
            "--label",
            metavar="TEXT",
            required=True,
            help="whose ad accounts it is about; the client reads it",
        )
        parser.add_argument("--connection", metavar="ID", type=UUID, help="the connection that is renewed")
        parser.add_argument(
            "--days",
            type=int,
            default=USUAL_DAYS,
            metavar="N",
            help=f"days that it works, 1 to {MAX_DAYS} ({USUAL_DAYS})",
        )
        parser.add_argument(
            "--regions", default="", metavar="NA,EU", help="the regions of a new connection (all)"
        )
        parser.add_argument(
            "--owner",
            metavar="USER",
            help="the person responsible for what it connects (the owner of the connection that is renewed, or the "
            "first administrator of the team)",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        team = Team.objects.filter(name__iexact=options["team"].strip()).first()
        if team is None:
            raise CommandError(f"There is no team {options['team']!r}. `manage.py team NAME` makes a team.")
        connection = _find_connection(options["connection"])
        owner = _find_owner(options["owner"], team, connection)
        try:
            link, address = make_connect_link(
                SYSTEM,
                team,
                label=options["label"],
                connection=connection,
                days=options["days"],
                regions=RegionsField(required=False).clean(options["regions"]),
                owner=owner,
            )
        except ValidationError as error:
            raise CommandError(" ".join(error.messages)) from error
        self.stderr.write(f"It works once, until {link.ends_at:%Y-%m-%d %H:%M} UTC. {owner} is responsible.")
        self.stdout.write(str(address))


def _find_connection(connection_id: UUID | None) -> Connection | None:
    if connection_id is None:
        return None
    connections = Connection.objects.defer("access_token", "refresh_token").select_related("owner", "team")
    found = connections.filter(pk=connection_id).first()
    if found is None:
        raise CommandError(f"There is no connection {connection_id}.")
    return found


def _find_owner(name: str | None, team: Team, connection: Connection | None) -> User:
    if name is not None:
        owner = User.objects.filter(username=name, is_active=True).first()
        if owner is None:
            raise CommandError(f"There is no active user {name!r}.")
        return owner
    chosen = connection.owner if connection else find_first_administrator(team)
    if chosen is None:
        raise CommandError(f"“{team}” has no administrator. Name the person responsible with --owner.")
    return chosen
