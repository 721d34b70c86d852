"""Many refreshes at once: how many run together, and how many ended with which outcome."""

import asyncio
from collections import Counter
from collections.abc import Coroutine, Iterable
from typing import Any, Final

from tokens.models import TokenRefresh

# Higher than the number of HTTP connections, because a refresh that records its outcome uses none.
CONCURRENCY: Final = 16
SKIPPED: Final = "skipped"
PASSING: Final = (
    TokenRefresh.Outcome.TRANSIENT,
    TokenRefresh.Outcome.THROTTLED,
    TokenRefresh.Outcome.POSTPONED,
)


class RefreshCounts(Counter[str]):
    """How many refreshes ended with which outcome. `skipped` counts connections that could not be refreshed."""

    @property
    def all_succeeded(self) -> bool:
        return set(self) <= {TokenRefresh.Outcome.SUCCEEDED.value}

    @property
    def may_soon_succeed(self) -> bool:
        """Whether a refresh failed that may succeed without anybody doing anything."""
        return not {outcome.value for outcome in PASSING}.isdisjoint(self)


async def run_to_the_end(coroutines: Iterable[Coroutine[Any, Any, None]]) -> None:
    # An error of one coroutine must not stop the others, so the first error is raised when all have ended.
    for result in await asyncio.gather(*coroutines, return_exceptions=True):
        if isinstance(result, BaseException):
            raise result
