"""Waiting in asynchronous tests for what another task or another session does."""

import asyncio
import inspect
from collections.abc import Awaitable, Callable

import pytest


async def poll_until(is_true: Callable[[], bool | Awaitable[bool]], seconds: float = 60.0) -> None:
    """Wait until the condition holds; fail after this number of seconds."""
    for _ in range(int(seconds / 0.02)):
        answer = is_true()
        if await answer if inspect.isawaitable(answer) else answer:
            return
        await asyncio.sleep(0.02)
    pytest.fail(f"It did not happen within {seconds:g} seconds.")
