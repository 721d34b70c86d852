import re
from typing import Any

from django.core.management.base import CommandError, CommandParser

from tokens.people.audit.chain import Place
from tokens.people.audit.verification import BrokenTrailError, verify_trail
from tokens.processes.commands import OperatorCommand

NOTED = re.compile(r"([0-9]{1,18}):([0-9a-f]{64})")


class Command(OperatorCommand):
    help = (
        "Check the audit trail. Prints the last number and its digest, or names the first entry that was changed or "
        "removed and exits 1. Nothing but a number and digest that were noted elsewhere shows that the end was cut off."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--noted",
            metavar="NUMBER:DIGEST",
            help="a number and its digest, as this command printed them or as the log has them",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            checked = verify_trail(noted=_read_place(options["noted"]))
        except BrokenTrailError as error:
            raise CommandError(str(error)) from error
        number = checked.end.number - checked.beginning.number
        self.stderr.write(f"{number} entries are as they were written.")
        if checked.beginning.number:
            self.stderr.write(f"The entries up to number {checked.beginning.number} were pruned.")
        self.stdout.write(f"{checked.end.number}:{checked.end.digest.hex()}")


def _read_place(text: str | None) -> Place | None:
    if text is None:
        return None
    match = NOTED.fullmatch(text)
    if match is None:
        raise CommandError("--noted must be a number, a colon and the digest of 64 characters.")
    return Place(int(match[1]), bytes.fromhex(match[2]))
