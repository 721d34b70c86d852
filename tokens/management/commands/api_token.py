from typing import Any
from uuid import UUID

from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.core.management.base import CommandError, CommandParser

from tokens.models import ApiKey
from tokens.people.keys import MAX_DAYS, USUAL_DAYS, make_api_key, revoke_api_key
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
            self._make(owner, options["name"], options["days"])

    def _make(self, owner: User, name: str, days: int) -> None:
        if not 1 <= days <= MAX_DAYS:
            raise CommandError(f"--days must be from 1 to {MAX_DAYS}.")
        try:
            made, key = make_api_key(SYSTEM, owner, name=name, days=days)
        except ValidationError as error:
            raise CommandError(" ".join(error.messages)) from error
        self.stderr.write(f"Valid until {made.expires_at:%Y-%m-%d %H:%M} UTC. It is shown only now.")
        self.stdout.write(key)

    def _list(self, owner: User | None) -> None:
        keys = ApiKey.objects.live() if owner is None else ApiKey.objects.live().filter(user=owner)
        for key in keys.select_related("user"):
            used = f"last used {key.last_used_at:%Y-%m-%d %H:%M}" if key.last_used_at else "never used"
            self.stdout.write(
                f"{key.pk}  {key.beginning}…  {key.user}  “{key.name}”  until {key.expires_at:%Y-%m-%d}, {used}"
            )

    def _revoke(self, key_id: UUID) -> None:
        key = ApiKey.objects.select_related("user").filter(pk=key_id).first()
        if key is None or not revoke_api_key(SYSTEM, key):
            raise CommandError(f"There is no API key {key_id}.")
        self.stderr.write(f"The key “{key.name}” of {key.user} is ended.")


def _find(name: str) -> User:
    user = User.objects.filter(username=name).first()
    if user is None:
        raise CommandError(f"There is no user “{name}”.")
    return user
