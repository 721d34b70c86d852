"""Writing what must not be lost: an outage of the database is waited for."""

from collections.abc import Callable
from typing import Final, ParamSpec, TypeVar

from django.db import InterfaceError, OperationalError
from tenacity import (
    AsyncRetrying,
    retry_if_exception_type,
    stop_after_attempt,
    stop_after_delay,
    wait_exponential,
)

from amazon_accounts.postgresql.threads import in_thread

MAX_OUTAGE_SECONDS: Final = 75.0
# A process that was frozen for a longer time still tries this often.
MIN_ATTEMPTS: Final = 5

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")


async def outlast_outage(
    function: Callable[Parameters, Result], *args: Parameters.args, **kwargs: Parameters.kwargs
) -> Result:
    """Run a function in a thread, again and again while the database is away, for MAX_OUTAGE_SECONDS."""
    retrying = AsyncRetrying(
        retry=retry_if_exception_type((OperationalError, InterfaceError)),
        wait=wait_exponential(multiplier=0.1, max=1),
        stop=stop_after_delay(MAX_OUTAGE_SECONDS) & stop_after_attempt(MIN_ATTEMPTS),
        reraise=True,
    )
    result: Result = await retrying(in_thread(function), *args, **kwargs)
    return result
