import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TextIO, cast

from django.contrib.auth.models import User
from django.core.management.base import CommandError, CommandParser

from amazon_accounts.amazon_ads.client import AmazonClient
from amazon_accounts.amazon_ads.errors import AmazonError, ApplicationRefusedError, PostponedError
from amazon_accounts.amazon_ads.pacing.pace import MAX_WAIT_SECONDS
from tokens.connect.grants import AuthorizationError, Connected
from tokens.connect.refresh_token import connect_with_refresh_token
from tokens.management.logins import COLUMNS, Login, read_login, read_row, read_rows, read_token
from tokens.models import Team
from tokens.people.teams import TeamNotChosenError, choose_team
from tokens.permissions import SYSTEM
from tokens.processes.commands import OperatorCommand, add_advice, run_with_amazon

# A line of a CSV file may fail with one of these errors, and the other lines go on.
LINE_ERRORS = (CommandError, AmazonError, PostponedError, AuthorizationError)

NOT_IDENTIFIED = (
    "Amazon did not say yet which login it is; it is asked again with the next refresh. If the login is connected already, "
    "the older connection goes on with this token."
)


class Command(OperatorCommand):
    help = (
        "Connect an Amazon login by its refresh token, which is read from standard input. A refresh proves the token; "
        "then the id of the connection is printed. With --csv, connect many logins."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--owner", required=True, metavar="USER", help="the person responsible for the connection"
        )
        parser.add_argument(
            "--team",
            default="",
            metavar="NAME",
            help="the team of a new connection; the owner's only team by default",
        )
        parser.add_argument("--label", metavar="TEXT", help="the name of a new connection")
        parser.add_argument(
            "--regions",
            default="",
            metavar="NA,EU",
            help="some of NA, EU and FE for a new connection; all by default",
        )
        parser.add_argument(
            "--consented-at", default="", metavar="DATE", help="the day of the consent, if known"
        )
        parser.add_argument(
            "--csv",
            metavar="FILE",
            help=f"a file (- is standard input) with the columns {', '.join(COLUMNS)}; the last two may be empty",
        )
        parser.add_argument(
            "--wait",
            type=float,
            default=MAX_WAIT_SECONDS,
            metavar="SECONDS",
            help="how long to wait for a slot (%(default)g)",
        )

    # As in `createsuperuser`, callers may pass `stdin`.
    stealth_options = ("stdin",)

    def handle(self, *args: Any, **options: Any) -> None:
        self._stdin = cast("TextIO", options.get("stdin", sys.stdin))
        with log_each_try(wanted=options["verbosity"] > 1):
            self._connect(options)

    def _connect(self, options: dict[str, Any]) -> None:
        owner = User.objects.filter(username=options["owner"], is_active=True).first()
        if owner is None:
            raise CommandError(
                f"There is no active user {options['owner']!r}. Make one with `createsuperuser`."
            )
        try:
            team = choose_team(owner, options["team"])
        except TeamNotChosenError as error:
            raise CommandError(str(error)) from error
        if options["csv"]:
            self._connect_many(team, owner, options)
            return
        if not options["label"]:
            raise CommandError("--label is missing.")
        login = read_login(options["label"], self._read_token(), options["regions"], options["consented_at"])

        async def operation(amazon: AmazonClient) -> Connected:
            return await _connect(team, owner, login, amazon, options["wait"])

        connected = run_with_amazon(operation)
        self.stderr.write(
            "Connected."
            if connected.is_new
            else "This login was connected already. Its connection has the new token and kept its label and regions."
        )
        if connected.connection.is_identity_pending:
            self.stderr.write(NOT_IDENTIFIED)
        self.stdout.write(str(connected.connection.pk))

    def _read_token(self) -> str:
        if self._stdin.isatty():
            self.stderr.write("Refresh token, then Enter: ", ending="")
        return read_token(self._stdin)

    def _connect_many(self, team: Team, owner: User, options: dict[str, Any]) -> None:
        lines = list(read_rows(options["csv"], self._stdin))

        async def operation(amazon: AmazonClient) -> dict[str, int]:
            counts = {"connected": 0, "updated": 0, "failed": 0}
            for done, (number, cells) in enumerate(lines, start=1):
                try:
                    login = read_row(cells)
                    connected = await _connect(team, owner, login, amazon, options["wait"])
                except LINE_ERRORS as error:
                    counts["failed"] += 1
                    self.stdout.write(f"line {number}: failed: {add_advice(error)}")
                    if isinstance(error, ApplicationRefusedError) and done < len(lines):
                        # Amazon would refuse every other login as well.
                        counts["not tried"] = len(lines) - done
                        break
                else:
                    counts["connected" if connected.is_new else "updated"] += 1
                    word = "connected" if connected.is_new else "updated"
                    self.stdout.write(f"line {number}: {word} {connected.connection.pk}")
                    if connected.connection.is_identity_pending:
                        self.stderr.write(f"line {number}: {NOT_IDENTIFIED}")
            return counts

        counts = run_with_amazon(operation)
        self.stdout.write(", ".join(f"{number} {name}" for name, number in counts.items()))
        if counts["failed"]:
            raise CommandError("Not all logins were connected; the lines above say why.")


@contextmanager
def log_each_try(*, wanted: bool) -> Iterator[None]:
    # By default only the error that ends the tries is shown, once, with what to do about it.
    calls = logging.getLogger("amazon_accounts.amazon_ads")
    before = calls.level
    if not wanted:
        calls.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        calls.setLevel(before)


async def _connect(team: Team, owner: User, login: Login, amazon: AmazonClient, max_wait: float) -> Connected:
    return await connect_with_refresh_token(
        SYSTEM,
        team,
        owner,
        login.label,
        login.refresh_token,
        regions=login.regions,
        consented_at=login.consented_at,
        amazon=amazon,
        max_wait=max_wait,
    )
