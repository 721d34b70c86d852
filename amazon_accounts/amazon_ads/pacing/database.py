"""How the pace reaches its database: with a time limit, because no call to Amazon goes out without the database."""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import ParamSpec, TypeVar

from django.db import InterfaceError, OperationalError

from amazon_accounts.amazon_ads.errors import PaceUnavailableError
from amazon_accounts.postgresql.threads import in_thread

logger = logging.getLogger(__name__)

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")

# A database that takes longer for one small statement counts as away.
MAX_STATEMENT_SECONDS = 15.0


@dataclass(frozen=True)
class PacingDatabase:
    max_statement_seconds: float = MAX_STATEMENT_SECONDS

    async def run(
        self, function: Callable[Parameters, Result], *args: Parameters.args, **kwargs: Parameters.kwargs
    ) -> Result:
        """Run a function in a thread. PaceUnavailableError if the database does not answer in time."""
        try:
            async with asyncio.timeout(self.max_statement_seconds):
                return await in_thread(function)(*args, **kwargs)
        except TimeoutError:
            raise PaceUnavailableError from OperationalError("a statement took too long")
        except (OperationalError, InterfaceError) as error:
            raise PaceUnavailableError from error

    async def try_to_record(
        self, function: Callable[Parameters, object], *args: Parameters.args, **kwargs: Parameters.kwargs
    ) -> bool:
        # The result of a call is used even if the database is away and cannot record it.
        try:
            await self.run(function, *args, **kwargs)
        except PaceUnavailableError as error:
            logger.warning(
                "The result of a call could not be recorded: %s", error, extra={"action": "call_result_lost"}
            )
            return False
        return True
