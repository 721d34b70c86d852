"""Servers that really limit: per region, per endpoint, per login, and one that four processes talk to at once."""

import asyncio
import time
from typing import Any

import pytest
from django.conf import LazySettings
from django.db import connection

from amazon_accounts.amazon_ads.client import AmazonClient
from amazon_accounts.amazon_ads.errors import PostponedError
from amazon_accounts.sandbox.world import generated_world
from tests.amazon_ads.conftest import OWN_TABLES, AdsApiFactory
from tests.bench.pacing import Workers
from tests.sandbox_fixtures import SandboxServer

pytestmark = OWN_TABLES

NAMES = ["login-1", "login-2", "login-3"]


@pytest.fixture(autouse=True)
def usual_pace(settings: LazySettings, sandbox_server: SandboxServer) -> None:
    settings.AMAZON_REQUESTS_PER_SECOND = 10.0
    settings.AMAZON_BURST = 5
    settings.AMAZON_MAX_REQUESTS_PER_SECOND = 200.0
    sandbox_server.sandbox.reset(generated_world(logins=4, accounts_per_login=3))


@pytest.mark.parametrize("per", [("region",), ("region", "endpoint"), ()])
async def test_it_finds_the_limit_and_keeps_to_it(
    api_over_http_for: AdsApiFactory, sandbox_server: SandboxServer, per: tuple[Any, ...]
) -> None:
    sandbox = sandbox_server.sandbox
    sandbox.throttle.limit(30.0, 10.0, per=per)
    logins = [api_over_http_for(name) for name in NAMES]
    await asyncio.gather(*(login.profiles("NA", "view") for login in logins for _ in range(30)))
    assert sandbox.journal.count(status=200) == 90
    assert sandbox.journal.count(status=429) <= 10


async def test_a_login_with_a_limit_of_its_own_does_not_slow_the_others(
    api_over_http_for: AdsApiFactory, sandbox_server: SandboxServer
) -> None:
    sandbox = sandbox_server.sandbox
    sandbox.throttle.limit(0.01, 1.0, login="login-4", retry_after="3600")
    poor = api_over_http_for("login-4", max_wait=1.0)
    await api_over_http_for(NAMES[0]).profiles("NA", "view")
    await poor.profiles("NA", "view")
    with pytest.raises(PostponedError):
        await poor.profiles("NA", "view")
    began = time.monotonic()
    await asyncio.gather(
        *(api_over_http_for(name).profiles("NA", "view") for name in NAMES for _ in range(10))
    )
    assert time.monotonic() - began < 5
    assert sandbox.journal.count(login="login-4") == 2
    assert sandbox.journal.count(status=429) == 1


async def test_another_process_feels_what_this_one_learned(
    api_over_http_for: AdsApiFactory, sandbox_server: SandboxServer
) -> None:
    sandbox = sandbox_server.sandbox
    sandbox.faults.add("throttle", login=NAMES[0], retry_after="3600", count=1)
    await api_over_http_for(NAMES[1]).profiles("NA", "view")
    with pytest.raises(PostponedError):
        await api_over_http_for(NAMES[0]).profiles("NA", "view")
    async with AmazonClient() as another:

        async def token(rejected: str | None = None) -> str:
            return sandbox.access_token(NAMES[0])

        with pytest.raises(PostponedError):
            await another.with_token(subject=NAMES[0], client_id="x", token=token).profiles("NA", "view")
    assert sandbox.journal.count(login=NAMES[0]) == 1


@pytest.mark.slow
def test_four_processes_keep_one_pace(sandbox_server: SandboxServer, transactional_db: None) -> None:
    sandbox = sandbox_server.sandbox
    sandbox.throttle.limit(20.0, 20.0, per=("region",))
    database = {key: str(connection.settings_dict[key]) for key in ("NAME", "HOST", "PORT", "USER")}
    order = {
        "kind": "ours",
        "tokens": {name: sandbox.access_token(name) for name in NAMES},
        "calls": [(NAMES[number % 3], "profiles") for number in range(25)],
        "database": database,
    }
    results = Workers([order] * 4, {**sandbox_server.environ(), "AMAZON_BURST": "10"}).results()
    assert [result["lost"] for result in results] == [0, 0, 0, 0]
    assert sandbox.journal.count(status=200) == 100
    assert sandbox.journal.count(status=429) <= 8
