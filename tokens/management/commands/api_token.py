from typing import Any
from uuid import UUID

from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.core.management.base import CommandError, CommandParser

from tokens.models import ApiKey
from tokens.people.keys import MAX_DAYS, USUAL_DAYS, make_api_key, revoke_api_key
from tokens.people.roles import PERMISSIONS
from tokens.people.teams import TeamNotChosenError, choose_team
from tokens.permissions import SYSTEM
from tokens.processes.commands import OperatorCommand


class Command(OperatorCommand):
    help = (
        "Make an API key for a person and print it. It is shown only now, because only its digest is stored. With "
        "--list, list the keys of the person, or of everybody; with --revoke, end a key."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("user", metavar="USER", nargs="?", help="the user name")
        parser.add_argument("--name", default="Made by a command", help="what the key is for")
        parser.add_argument(
            "--days", type=int, default=USUAL_DAYS, metavar="N", help=f"days until it expires ({USUAL_DAYS})"
        )
        parser.add_argument("--team", default="", metavar="NAME", help="the only team that the key is for")
        parser.add_argument(
            "--role",
            default="",
            choices=[*PERMISSIONS],
            help="what the key may do at most; “tokens” hands out access tokens and does nothing else",
        )
        instead = parser.add_mutually_exclusive_group()
        instead.add_argument("--list", action="store_true", help="list keys with their ids")
        instead.add_argument("--revoke", type=UUID, metavar="ID", help="end the key with this id at once")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["revoke"] is not None:
            self._revoke(options["revoke"])
            return
        owner = _find(options["user"]) if options["user"] else None
        if options["list"]:
            self._list(owner)
        elif owner is None:
            raise CommandError("the following arguments are required: USER")
        else:
            self._make(owner, options)

    def _make(self, owner: User, options: dict[str, Any]) -> None:
        if not 1 <= options["days"] <= MAX_DAYS:
            raise CommandError(f"--days must be from 1 to {MAX_DAYS}.")
        try:
            team = choose_team(owner, options["team"]) if options["team"] else None
            made, key = make_api_key(
                SYSTEM, owner, name=options["name"], days=options["days"], team=team, role=options["role"]
            )
        except TeamNotChosenError as error:
            raise CommandError(str(error)) from error
        except ValidationError as error:
            raise CommandError(" ".join(error.messages)) from error
        self.stderr.write(f"Valid until {made.expires_at:%Y-%m-%d %H:%M} UTC. It is shown only now.")
        self.stdout.write(key)

    def _list(self, owner: User | None) -> None:
        keys = ApiKey.objects.live() if owner is None else ApiKey.objects.live().filter(user=owner)
        for key in keys.select_related("user", "team"):
            used = f"last used {key.last_used_at:%Y-%m-%d %H:%M}" if key.last_used_at else "never used"
            self.stdout.write(
                f"{key.pk}  {key.beginning}…  {key.user or key.team}  “{key.name}”  {key.limits}"
                f"  until {key.expires_at:%Y-%m-%d}, {used}"
            )

    def _revoke(self, key_id: UUID) -> None:
        key = ApiKey.objects.select_related("user", "team").filter(pk=key_id).first()
        if key is None or not revoke_api_key(SYSTEM, key):
            raise CommandError(f"There is no API key {key_id}.")
        self.stderr.write(f"The key “{key.name}” of {key.user or key.team} is ended.")


def _find(name: str) -> User:
    user = User.objects.filter(username=name).first()
    if user is None:
        raise CommandError(f"There is no user “{name}”.")
    return user
