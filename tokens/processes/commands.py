"""What the commands share. An error that a person can cause ends in one readable line."""

import asyncio
import logging
import sys
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager, nullcontext
from typing import Any, TextIO, TypeVar

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, OutputWrapper
from django.db import InterfaceError, OperationalError, ProgrammingError, connections

from amazon_accounts.amazon_ads.client import AmazonClient
from amazon_accounts.amazon_ads.errors import (
    AmazonError,
    ApplicationRefusedError,
    GrantRevokedError,
    PostponedError,
    UnreachableError,
)
from amazon_accounts.postgresql.outages import AWAY, OUTAGES, find_cause
from amazon_accounts.postgresql.threads import tune_interpreter
from amazon_accounts.visible_text import escape_lines
from tokens.checks import find_encryption_problem
from tokens.connect.grants import AuthorizationError
from tokens.encryption import DecryptionError
from tokens.people.audit.origin import Origin, come_from

logger = logging.getLogger(__name__)

Result = TypeVar("Result")

# What a person can do about an error. A subclass stands before its base class.
ADVICE: tuple[tuple[type[Exception], str], ...] = (
    (ApplicationRefusedError, "Check AMAZON_CLIENT_ID and AMAZON_CLIENT_SECRET."),
    (GrantRevokedError, "Sign in at Amazon again, and give the refresh token of the new consent."),
    (UnreachableError, "Check the network, and AMAZON_LWA_URL and AMAZON_ADS_API_URL if they are set."),
    (PostponedError, "Try again then, or wait longer with --wait."),
)


@contextmanager
def raise_one_line_errors() -> Iterator[None]:
    # A CommandError ends in one line and exit status 1.
    try:
        yield
    except (AmazonError, PostponedError, AuthorizationError, DecryptionError) as error:
        raise CommandError(add_advice(error)) from error
    except (OperationalError, InterfaceError) as error:
        cause = find_cause(error) or AWAY
        raise CommandError(f"{cause.rstrip('.')}: {_one_line(error)}") from error
    except ProgrammingError as error:
        logger.debug("A statement failed", exc_info=error)
        raise CommandError("The database is not ready; run `manage.py migrate` first.") from error


def add_advice(error: Exception) -> str:
    line = _one_line(error)
    for kind, advice in ADVICE:
        if isinstance(error, kind):
            return f"{line.rstrip('.')}. {advice}"
    return line


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())


def require_sessions() -> None:
    """Refuse PgBouncer in transaction mode, where nobody can listen or hold a lock."""
    if settings.DB_PGBOUNCER:
        raise CommandError(
            "DB_PGBOUNCER is set: DATABASE_URL of workers and schedulers must lead to PostgreSQL itself."
        )


class VisibleOutput(OutputWrapper):
    """Writes text of people and of Amazon without its control characters."""

    def write(self, msg: str = "", *args: Any, **kwargs: Any) -> Any:
        super().write(escape_lines(msg), *args, **kwargs)


class OperatorCommand(BaseCommand):
    """A command that does not run when TOKEN_ENCRYPTION_KEYS cannot decrypt the stored tokens."""

    # A process that outlives an outage of the database.
    is_lasting = False

    def __init__(self, stdout: TextIO | None = None, stderr: TextIO | None = None, **colors: bool) -> None:
        super().__init__(stdout, stderr, **colors)
        self.stdout = VisibleOutput(stdout or sys.stdout)
        color = self.stderr.style_func
        self.stderr = VisibleOutput(stderr or sys.stderr)
        self.stderr.style_func = color

    def execute(self, *args: Any, **options: Any) -> str | None:
        # Django would wrap these streams in its own class.
        for name in ("stdout", "stderr"):
            if stream := options.pop(name, None):
                setattr(self, name, VisibleOutput(stream))
        watching = nullcontext() if self.is_lasting else OUTAGES.unwatched()
        # What a lasting process does, the console does itself.
        name = "" if self.is_lasting else f"manage.py {self.__module__.rpartition('.')[2]}"
        with raise_one_line_errors(), watching, come_from(Origin(command=name)):
            if problem := find_encryption_problem():
                raise CommandError(problem)
            return super().execute(*args, **options)


def run_with_amazon(
    operation: Callable[[AmazonClient], Coroutine[Any, Any, Result]],
) -> Result:

    async def run() -> Result:
        async with AmazonClient() as amazon:
            return await operation(amazon)

    tune_interpreter()
    connections.close_all()
    return asyncio.run(run())
