"""One piece of work for many callers who ask for it at the same moment."""

import asyncio
from collections.abc import Callable, Coroutine, Hashable
from typing import Any, TypeVar

Result = TypeVar("Result")


class SharedCalls:
    """Starts a call once for all who ask for the same key before it ends."""

    def __init__(self) -> None:
        self._running: dict[Hashable, asyncio.Task[Any]] = {}

    async def join(self, key: Hashable, start: Callable[[], Coroutine[Any, Any, Result]]) -> Result:
        """Return the result of the call of this key, which `start` makes if none is running.

        A caller that is cancelled does not stop the call for the others.
        """
        task: asyncio.Task[Result] | None = self._running.get(key)
        if task is None:
            task = asyncio.create_task(start(), name=f"shared call {key}")
            self._running[key] = task
            task.add_done_callback(lambda ended: self._forget(key, ended))
        return await asyncio.shield(task)

    def _forget(self, key: Hashable, ended: asyncio.Task[Any]) -> None:
        del self._running[key]
        if not ended.cancelled():
            # Marks the exception as retrieved, even when every caller was cancelled.
            ended.exception()
