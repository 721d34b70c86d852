from typing import Any

from django.contrib.auth.models import User
from django.core.management.base import CommandError, CommandParser

from tokens.people.erase import (
    ErasureRefusedError,
    StillOwnsError,
    check_erasure,
    count_belongings,
    erase_person,
    find_connected,
)
from tokens.permissions import SYSTEM
from tokens.processes.commands import OperatorCommand


class Command(OperatorCommand):
    help = (
        "Erase a person who used this console: names, e-mail, password, second factors, sessions, API keys, links to "
        "single sign-on, and rights. The history stays under a neutral name. Without --yes it only shows what would be "
        "erased. This cannot be undone."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("username", metavar="USERNAME", help="the user name of the person")
        parser.add_argument(
            "--hand-over-to",
            metavar="USERNAME",
            help="who owns the person's connections and accounts from then on",
        )
        parser.add_argument("--yes", action="store_true", help="erase, and do not only show")

    def handle(self, *args: Any, **options: Any) -> None:
        person = _find(options["username"])
        heir = _find(options["hand_over_to"]) if options["hand_over_to"] else None
        try:
            is_new = check_erasure(SYSTEM, person, heir=heir)
            if is_new and not options["yes"]:
                self._show(person, heir)
                return
            if is_new:
                is_new = erase_person(SYSTEM, person, heir=heir)
        except StillOwnsError as error:
            raise CommandError(f"{error} The command can hand them over: --hand-over-to USERNAME.") from error
        except ErasureRefusedError as error:
            raise CommandError(str(error)) from error
        self.stdout.write(
            f"The person is erased, and is called {person} now."
            if is_new
            else "The person was erased before."
        )

    def _show(self, person: User, heir: User | None) -> None:
        name = f" ({person.get_full_name()})" if person.get_full_name() else ""
        self.stdout.write(f"{person}{name} would be erased:")
        self.stdout.write(
            "  user name, names, e-mail address, password, groups, permissions and staff status"
        )
        for what, number in count_belongings(person).items():
            if number:
                self.stdout.write(f"  {what}: {number}")
        if heir is not None:
            self.stdout.write(
                f"Handed over to {heir}, who becomes responsible for all connections, {find_connected(person).count()} of them connected."
            )
        self.stdout.write("Nothing was changed. Add --yes to erase.")


def _find(username: str) -> User:
    person = User.objects.filter(username=username).first()
    if person is None:
        raise CommandError(
            f"There is no user “{username}”. The name of somebody who was erased begins with “erased-”."
        )
    return person
