"""Whatever happens: a run that succeeds over a world that stood still leaves tables that equal it, and nothing that
is still at Amazon is ever shown as gone.

    WORLDS=200 pytest tests/accounts/test_random_worlds.py     the long form; WORLDS_FROM=17 begins with that one
"""

import asyncio
import os
import random
from typing import Any

import pytest
from django.contrib.auth.models import User

from accounts import runs
from accounts.models import SyncRun
from accounts.sync import sync_connection
from accounts.tasks import request_sync
from amazon_accounts.amazon_ads.client import AmazonClient
from amazon_accounts.amazon_ads.database import in_thread
from amazon_accounts.amazon_ads.models import RateLimit
from amazon_accounts.sandbox.state import Sandbox
from tests.accounts import random_worlds
from tests.accounts.conftest import ConnectionFactory
from tests.accounts.picture import expected
from tests.sandbox_fixtures import SandboxTransport
from tokens.connections import disconnect
from tokens.models import Connection

pytestmark = pytest.mark.django_db(transaction=True)

FIRST = int(os.environ.get("WORLDS_FROM", "1"))
WORLDS = int(os.environ.get("WORLDS", "8"))
STEPS = 9


@pytest.mark.parametrize("seed", range(FIRST, FIRST + WORLDS))
async def test_a_random_world(
    seed: int,
    owner: User,
    connect: ConnectionFactory,
    sandbox: Sandbox,
    sandbox_transport: SandboxTransport,
    settings: Any,
) -> None:
    settings.AMAZON_MAX_ATTEMPTS = 2
    chance = random.Random(seed)
    sandbox.reset(random_worlds.made_world(chance, seed))
    connections = {login: await in_thread(connect)(login) for login in sandbox.world.logins}
    story: list[str] = []
    async with AmazonClient(transport=sandbox_transport) as amazon:
        for step in range(STEPS):
            is_last_look = step >= STEPS - 2
            await _live(chance, connections, sandbox, owner, connect, amazon, story, calm=is_last_look)
    assert any("succeeded" in line for line in story), story


async def _live(
    chance: random.Random,
    connections: dict[str, Connection],
    sandbox: Sandbox,
    owner: User,
    connect: ConnectionFactory,
    amazon: AmazonClient,
    story: list[str],
    *,
    calm: bool,
) -> None:
    """Something happens at Amazon or here, then one login is synced."""
    changed: list[str] = []
    tells_truth = True
    sandbox.faults.clear()
    if not calm:
        for _ in range(chance.randint(0, 3)):
            random_worlds.change_world(chance, sandbox.world)
        if chance.random() < 0.3:
            await in_thread(random_worlds.operate)(chance, owner.pk)
        tells_truth = random_worlds.set_faults(chance, sandbox, changed)
        if chance.random() < 0.5:
            switch = chance.choice(random_worlds.SWITCHES)
            sandbox.faults.add("switch", area="api", **switch)
    login = chance.choice(list(connections))
    connection = connections[login]
    if not calm and chance.random() < 0.1:
        await in_thread(random_worlds.break_or_heal)(chance, connection)
    elif not calm and chance.random() < 0.05:
        await in_thread(disconnect)(connection, None)
    connection = connections[login] = await in_thread(Connection.objects.get)(pk=connection.pk)
    if connection.state == Connection.State.DISCONNECTED:
        connection = connections[login] = await in_thread(connect)(login)
    if calm and connection.state != Connection.State.ACTIVE:
        await in_thread(random_worlds.break_or_heal)(chance, connection)
    if not calm and chance.random() < 0.15:

        async def die(_call: object) -> None:
            await in_thread(random_worlds.take_for_dead)(connection)

        sandbox.faults.add("run", area="api", nth=chance.randint(1, 12), function=die)
    await in_thread(RateLimit.objects.all().delete)()

    before = await in_thread(random_worlds.look)(owner.pk)
    requested = await in_thread(request_sync)(connection, trigger=SyncRun.Trigger.MANUAL)
    if requested.state == SyncRun.State.WAITING:
        syncing = asyncio.create_task(sync_connection(requested.pk, amazon, wait=0.3))
        if not calm and chance.random() < 0.1:
            await asyncio.sleep(chance.random() * 0.2)
            syncing.cancel()
        await asyncio.gather(syncing, return_exceptions=True)
        if not syncing.cancelled() and isinstance(syncing.exception(), runs.AnotherRunning):
            # A process was stopped in the very moment when it took the run; that is found out later.
            await in_thread(random_worlds.take_for_dead)(connection)
        elif not syncing.cancelled():
            syncing.result()
    run = await in_thread(SyncRun.objects.get)(pk=requested.pk)
    story.append(f"{login}: {run.state} {run.error} {changed} {list(sandbox.faults.rules)}")

    live = [(name, each) for name, each in connections.items() if each.state != Connection.State.DISCONNECTED]
    truths = {str(each.pk): expected(sandbox.truth(name)) for name, each in live}
    if not changed:
        gone = await in_thread(random_worlds.wrongly_gone)(before, owner.pk, truths)
        assert not gone, (gone, story)
    is_all_told = all(source["outcome"] == "complete" for source in run.sources)
    if run.state == SyncRun.State.SUCCEEDED and is_all_told and tells_truth and not changed:
        found = await in_thread(random_worlds.differences)(sandbox.truth(login), connection)
        assert found == [], "\n".join([*found, *story, *map(str, run.sources)])
