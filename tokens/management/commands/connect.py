import csv
import io
import logging
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import Any

from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.core.management.base import CommandError, CommandParser
from django.utils import timezone

from amazon_accounts.amazon_ads.client import AmazonClient
from amazon_accounts.amazon_ads.errors import AmazonError, ApplicationRefusedError, PostponedError
from tokens.connect.forms import RegionsField
from tokens.connect.grants import AuthorizationError, Connected
from tokens.connect.refresh_token import connect_with_refresh_token
from tokens.encryption import DecryptionError
from tokens.processes.commands import OperatorCommand, with_advice, with_amazon

# Printable, without spaces; Amazon's longest have 2048 characters.
REFRESH_TOKEN = re.compile(r"[\x21-\x7e]{1,2048}")
LIKE_A_TOKEN = re.compile(r"Atz[ar](\||%7C)", re.IGNORECASE)
BYTE_ORDER_MARK = "\ufeff"
# What one line of a CSV file may fail with while the others go on.
LINE_ERRORS = (CommandError, AmazonError, PostponedError, AuthorizationError, DecryptionError)
COLUMNS = ("label", "refresh_token", "regions", "consented_at")


@dataclass(frozen=True)
class Login:
    """One login to connect."""

    label: str
    refresh_token: str = field(repr=False)
    regions: list[str]
    consented_at: datetime | None


class Command(OperatorCommand):
    help = (
        "Connect an Amazon login by its refresh token, read from standard input: a refresh proves it, then the "
        "connection's id is printed. With --csv, many."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--owner", required=True, metavar="USER", help="whose connection it will be")
        parser.add_argument("--label", metavar="TEXT", help="what people call it")
        parser.add_argument("--regions", default="", metavar="NA,EU", help="of NA, EU, FE; all by default")
        parser.add_argument(
            "--consented-at", default="", metavar="DATE", help="when the login consented, if known"
        )
        parser.add_argument(
            "--csv",
            metavar="FILE",
            help=f"many at once (- is standard input), with the columns {', '.join(COLUMNS)}; the last two may be empty",
        )
        parser.add_argument(
            "--wait", type=float, default=60.0, metavar="SECONDS", help="how long to wait for a slot (60)"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        with each_try_logged(wanted=options["verbosity"] > 1):
            self._connect(options)

    def _connect(self, options: dict[str, Any]) -> None:
        owner = User.objects.filter(username=options["owner"], is_active=True).first()
        if owner is None:
            raise CommandError(
                f"There is no active user {options['owner']!r}. Make one with `createsuperuser`."
            )
        if options["csv"]:
            self._connect_many(owner, options)
            return
        if not options["label"]:
            raise CommandError("--label is missing.")
        login = login_from(options["label"], _token_from_input(), options["regions"], options["consented_at"])

        async def operation(amazon: AmazonClient) -> Connected:
            return await _connect(owner, login, amazon, options["wait"])

        connected = with_amazon(operation)
        self.stderr.write(
            "Connected." if connected.is_new else "This login was connected already; it is updated."
        )
        self.stdout.write(str(connected.connection.pk))

    def _connect_many(self, owner: User, options: dict[str, Any]) -> None:
        lines = list(_rows(options["csv"]))

        async def operation(amazon: AmazonClient) -> dict[str, int]:
            counts = {"connected": 0, "updated": 0, "failed": 0}
            for done, (number, cells) in enumerate(lines, start=1):
                try:
                    login = _login_of_row(cells)
                    connected = await _connect(owner, login, amazon, options["wait"])
                except LINE_ERRORS as error:
                    counts["failed"] += 1
                    self.stdout.write(f"line {number}: failed: {with_advice(error)}")
                    if isinstance(error, ApplicationRefusedError) and done < len(lines):
                        # No other login will fare better.
                        counts["not tried"] = len(lines) - done
                        break
                else:
                    counts["connected" if connected.is_new else "updated"] += 1
                    word = "connected" if connected.is_new else "updated"
                    self.stdout.write(f"line {number}: {word} {connected.connection.pk}")
            return counts

        counts = with_amazon(operation)
        self.stdout.write(", ".join(f"{number} {name}" for name, number in counts.items()))
        if counts["failed"]:
            raise CommandError("Not all logins were connected; the lines above say why.")


@contextmanager
def each_try_logged(*, wanted: bool) -> Iterator[None]:
    """Without it, the error that ends the tries says once what is wrong, and what to do."""
    calls = logging.getLogger("amazon_accounts.amazon_ads")
    before = calls.level
    if not wanted:
        calls.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        calls.setLevel(before)


async def _connect(owner: User, login: Login, amazon: AmazonClient, max_wait: float) -> Connected:
    return await connect_with_refresh_token(
        None,
        owner,
        login.label,
        login.refresh_token,
        regions=login.regions,
        consented_at=login.consented_at,
        amazon=amazon,
        max_wait=max_wait,
    )


def login_from(label: str, refresh_token: str, regions: str, consented_at: str) -> Login:
    """Check what was given; the messages repeat nothing of it, as anything may be a token in the wrong place."""
    label = label.strip()
    _refuse_tokens(label, regions, consented_at)
    if not label or len(label) > 200 or "\0" in label:
        raise CommandError("A label has 1 to 200 characters.")
    if not REFRESH_TOKEN.fullmatch(refresh_token):
        raise CommandError("This is no refresh token: it must be one line of plain characters, `Atzr|...`.")
    if refresh_token.startswith("Atza|"):
        raise CommandError("This is an access token. The refresh token is the one that begins with `Atzr|`.")
    try:
        chosen = RegionsField(required=False).clean(regions)
    except ValidationError as error:
        raise CommandError(" ".join(error.messages)) from error
    return Login(label, refresh_token, chosen, _consented_at(consented_at.strip()))


def _consented_at(text: str) -> datetime | None:
    if not text:
        return None
    try:
        consented_at = datetime.combine(date.fromisoformat(text), time.min, UTC)
    except ValueError:
        # Without its cause, which repeats the text where `--traceback` prints it.
        raise CommandError("The consent date must be a date like 2026-08-01.") from None
    if consented_at > timezone.now():
        raise CommandError("The consent date lies in the future.")
    return consented_at


def _refuse_tokens(*texts: str) -> None:
    """Refuse texts that hold a token: they would be stored, shown and repeated as if they were none."""
    if any(LIKE_A_TOKEN.search(text) for text in texts):
        raise CommandError("A token is where none belongs; a text with a comma in it must be in quotes.")


def _token_from_input() -> str:
    if sys.stdin.isatty():
        sys.stderr.write("Refresh token, then Enter: ")
    try:
        token = sys.stdin.readline().removeprefix(BYTE_ORDER_MARK).strip()
    except UnicodeDecodeError:
        raise CommandError("This is no refresh token: standard input is not text in UTF-8.") from None
    if not token:
        raise CommandError("There is no refresh token on standard input.")
    return token


def _login_of_row(cells: list[str]) -> Login:
    label, token, regions, consented_at, *others = (*cells, "", "", "", "")
    _refuse_tokens(*others)
    return login_from(label, token, regions, consented_at)


def _rows(path: str) -> Iterator[tuple[int, list[str]]]:
    """Read the rows below the header, if there is one, with the numbers of their last lines."""
    name = "Standard input" if path == "-" else path
    reader = csv.reader(io.StringIO(_text(path, name), newline=""))
    is_first = True
    try:
        for row in reader:
            cells = [cell.strip() for cell in row]
            if not any(cells):
                continue
            is_header = is_first and tuple(cell.lower() for cell in cells[:2]) == COLUMNS[:2]
            is_first = False
            if not is_header:
                yield reader.line_num, cells
    except csv.Error:
        raise CommandError(f"{name} is not a CSV file: see line {reader.line_num}.") from None


def _text(path: str, name: str) -> str:
    """Read it as UTF-8, whatever the locale says."""
    try:
        # A stream that was put in place of standard input may have text alone.
        if path == "-" and not hasattr(sys.stdin, "buffer"):
            return sys.stdin.read().removeprefix(BYTE_ORDER_MARK)
        content = sys.stdin.buffer.read() if path == "-" else Path(path).read_bytes()
    except OSError as error:
        raise CommandError(f"{name} cannot be read: {error.strerror}.") from error
    try:
        return content.decode().removeprefix(BYTE_ORDER_MARK)
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        # Without its cause, which holds the whole content.
        raise CommandError(f"{name} is not text in UTF-8: see line {line}.") from None
