"""What the commands of this project have in common: one readable line for whatever a person can cause."""

import asyncio
import logging
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from django.core.management.base import BaseCommand, CommandError
from django.db import InterfaceError, OperationalError, ProgrammingError, connections

from amazon_accounts.amazon_ads.client import AmazonClient
from amazon_accounts.amazon_ads.errors import AmazonError, PostponedError
from tokens.checks import encryption_problem
from tokens.encryption import DecryptionError
from tokens.oauth import AuthorizationError

logger = logging.getLogger(__name__)

Result = TypeVar("Result")


@contextmanager
def one_line_errors() -> Iterator[None]:
    """Turn errors that a person can cause into a CommandError: one line on standard error, exit status 1."""
    try:
        yield
    except (AmazonError, PostponedError, AuthorizationError, DecryptionError) as error:
        raise CommandError(_one_line(error)) from error
    except (OperationalError, InterfaceError) as error:
        raise CommandError(f"The database does not answer: {_one_line(error)}") from error
    except ProgrammingError as error:
        raise CommandError(
            f"The database is not ready; run `manage.py migrate` first ({_one_line(error)})."
        ) from error


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())


class OperatorCommand(BaseCommand):
    """A command that refuses to work with keys that cannot read what is stored."""

    def execute(self, *args: Any, **options: Any) -> str | None:
        with one_line_errors():
            if problem := encryption_problem():
                raise CommandError(problem)
            return super().execute(*args, **options)


def with_amazon(
    operation: Callable[[AmazonClient], Coroutine[Any, Any, Result]],
) -> Result:
    """Run an operation that talks to Amazon, in this process."""

    async def run() -> Result:
        async with AmazonClient() as amazon:
            return await operation(amazon)

    connections.close_all()
    return asyncio.run(run())
