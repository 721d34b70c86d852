"""Many refreshes at once: how many run together, and how many ended with which outcome."""

import asyncio
from collections import Counter
from collections.abc import Coroutine, Iterable
from typing import Any, Final

from tokens.models import TokenRefresh

# More than the connections of the client, so that these are busy while other refreshes record their outcome.
CONCURRENCY: Final = 16
SKIPPED: Final = "skipped"


class RefreshCounts(Counter[str]):
    """How many refreshes ended with which outcome. `skipped` counts connections that could not be refreshed."""

    @property
    def all_succeeded(self) -> bool:
        return set(self) <= {TokenRefresh.Outcome.SUCCEEDED.value}


async def run_to_the_end(coroutines: Iterable[Coroutine[Any, Any, None]]) -> None:
    # The error of one must not stop the others, so the first error is raised when all have ended.
    for result in await asyncio.gather(*coroutines, return_exceptions=True):
        if isinstance(result, BaseException):
            raise result
