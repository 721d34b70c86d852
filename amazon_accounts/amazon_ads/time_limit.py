"""A time limit for calls that does not lose an answer which arrived while this process was frozen."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

# The event loop was frozen, and not only busy, when it is later than this.
MAX_DELAY_SECONDS = 0.05
# A process that wakes finds its timers and the answers at the same moment. The answers are read first.
GRACE_SECONDS = 1.0


@asynccontextmanager
async def limit_time(seconds: float) -> AsyncIterator[asyncio.Timeout]:
    """Like asyncio.timeout. A limit that passed while the process was frozen ends GRACE_SECONDS after it wakes."""
    loop = asyncio.get_running_loop()
    ends_at = loop.time() + seconds
    async with asyncio.timeout(None) as limit:

        def end() -> None:
            was_frozen = loop.time() - ends_at > MAX_DELAY_SECONDS
            limit.reschedule(loop.time() + (GRACE_SECONDS if was_frozen else 0.0))

        timer = loop.call_at(ends_at, end)
        try:
            yield limit
        finally:
            timer.cancel()
