import json
from typing import Any

from django.core.management.base import CommandError, CommandParser

from tokens.key_rotation import rotate
from tokens.processes.commands import OperatorCommand


class Command(OperatorCommand):
    help = (
        "Encrypt every stored token with the first of TOKEN_ENCRYPTION_KEYS. All processes may run meanwhile, and an "
        "interrupted rotation may be repeated."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="print the counts as JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        counts = rotate()
        if options["json"]:
            self.stdout.write(json.dumps(counts))
        else:
            self.stdout.write(", ".join(f"{number} {name}" for name, number in counts.items()))
        if counts["unreadable"]:
            raise CommandError(
                "Some tokens cannot be decrypted with any of TOKEN_ENCRYPTION_KEYS. They were left as they are, and "
                "the log says why. Add the key that they were encrypted with, or reconnect the login."
            )
