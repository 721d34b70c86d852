"""Calls of a process that was frozen: what arrived meanwhile is read."""

import asyncio
import time

import pytest
from django.conf import LazySettings

from amazon_accounts.amazon_ads.client import AmazonClient
from amazon_accounts.amazon_ads.errors import UnreachableError
from amazon_accounts.amazon_ads.time_limit import limit_time
from tests.amazon_ads.conftest import OWN_TABLES
from tests.sandbox_fixtures import SandboxServer

pytestmark = OWN_TABLES


@pytest.fixture(autouse=True)
def short_limits(settings: LazySettings) -> None:
    settings.LWA_TIMEOUT_SECONDS = 0.3
    settings.AMAZON_MAX_ATTEMPTS = 1


async def test_a_token_that_arrived_while_the_process_was_frozen_is_not_lost(
    amazon_over_http: AmazonClient, sandbox_server: SandboxServer
) -> None:
    sandbox = sandbox_server.sandbox
    loop = asyncio.get_running_loop()

    def freeze(_: object) -> None:
        # The server answers in its own thread while this loop stands still.
        loop.call_soon_threadsafe(time.sleep, 0.6)

    sandbox.faults.add("switch", area="token", options={"refresh_rotation": "rotate_and_end"})
    sandbox.faults.add("run", area="token", options={"function": freeze})
    token = sandbox.refresh_token("alice")
    grant = await amazon_over_http.lwa.refresh(token, subject="alice")
    assert grant.refresh_token not in {None, token}


async def test_an_answer_that_does_not_come_is_still_given_up(
    amazon_over_http: AmazonClient, sandbox_server: SandboxServer
) -> None:
    sandbox_server.sandbox.faults.add("hang", area="token", seconds=5.0)
    began = time.monotonic()
    with pytest.raises(UnreachableError):
        await amazon_over_http.lwa.refresh(sandbox_server.sandbox.refresh_token("alice"), subject="alice")
    assert time.monotonic() - began < 4


async def test_a_limit_within_which_all_is_done_changes_nothing() -> None:
    async with limit_time(0.01):
        pass
    await asyncio.sleep(0.02)
