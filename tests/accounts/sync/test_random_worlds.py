"""After a succeeded run the tables equal an unchanged world, and no account that Amazon still shows is gone.

WORLDS=200 pytest tests/accounts/sync/test_random_worlds.py     200 worlds; WORLDS_FROM=17 begins with world
17
"""

import asyncio
import os
import random
from dataclasses import dataclass, field
from typing import Any

import pytest
from django.contrib.auth.models import User

from accounts.models import SyncRun
from accounts.sync.claims import AnotherRunActiveError
from accounts.sync.listing import HELD, UNCONFIRMED
from accounts.sync.requests import queue_sync
from accounts.sync.run import sync_connection
from amazon_accounts.amazon_ads.client import AmazonClient
from amazon_accounts.amazon_ads.models import RateLimit
from amazon_accounts.postgresql.threads import in_thread
from amazon_accounts.sandbox.state import Sandbox
from tests.accounts.sync import random_worlds
from tests.accounts.sync.conftest import ConnectionFactory
from tests.accounts.sync.expected_rows import build_expected
from tests.sandbox_fixtures import SandboxTransport
from tokens.connect.disconnect import disconnect_connection
from tokens.models import Connection
from tokens.permissions import SYSTEM

# Other tests cover the same code, and measuring makes the many syncs twice as slow.
pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.no_cover]

FIRST = int(os.environ.get("WORLDS_FROM", "1"))
WORLDS = int(os.environ.get("WORLDS", "8"))
STEPS = 9
# What all lists miss is gone after three readings, and may leave something that is missed then.
MAX_ROUNDS = 6


@pytest.mark.parametrize("seed", range(FIRST, FIRST + WORLDS))
async def test_the_tables_agree_with_a_random_world(
    seed: int,
    owner: User,
    connect: ConnectionFactory,
    sandbox: Sandbox,
    sandbox_transport: SandboxTransport,
    settings: Any,
) -> None:
    settings.AMAZON_MAX_ATTEMPTS = 2
    chance = random.Random(seed)
    sandbox.reset(random_worlds.make_world(chance, seed))
    connections = {login: await in_thread(connect)(login) for login in sandbox.world.logins}
    async with AmazonClient(transport=sandbox_transport) as amazon:
        world = Trial(chance, sandbox, owner, connect, amazon, connections)
        for step in range(STEPS):
            await world.live(calm=step >= STEPS - 2)
        await world.come_to_rest()
    assert any("succeeded" in line for line in world.story), world.story


@dataclass
class Trial:
    """A changing world, and its logins, which are synced in random order."""

    chance: random.Random
    sandbox: Sandbox
    owner: User
    connect: ConnectionFactory
    amazon: AmazonClient
    connections: dict[str, Connection]
    story: list[str] = field(default_factory=list)

    async def live(self, *, calm: bool) -> None:
        # One step: a change at Amazon or here, a sync of one login, and the comparison of the tables.
        changed: list[str] = []
        self.sandbox.faults.clear()
        is_truthful = calm or await self._disturb(changed)
        login = self.chance.choice(list(self.connections))
        connection = await self._choose_connection(login, calm=calm)
        if not calm and self.chance.random() < 0.15:
            self._kill_during_run(connection)
        await in_thread(RateLimit.objects.all().delete)()
        before = await in_thread(random_worlds.read_before)(self.owner.pk)
        run = await self._sync(connection, calm=calm)
        self.story.append(f"{login}: {run.state} {run.error} {changed} {list(self.sandbox.faults.rules)}")
        if not changed:
            await self._check_gone(before)
            if is_truthful:
                await self._check_tables(run, connection)

    async def come_to_rest(self) -> None:
        """Sync all logins until the tables equal the world, which does not change any more."""
        self.sandbox.faults.clear()
        connections = [await self._choose_connection(login, calm=True) for login in self.connections]
        for login, connection in zip(self.connections, connections, strict=True):
            token = self.sandbox.refresh_token(login)
            await in_thread(random_worlds.give_new_consent)(connection, token)
        found = ["not synced"]
        for _ in range(MAX_ROUNDS):
            if found:
                for connection in connections:
                    run = await self._sync(connection, calm=True)
                    self.story.append(f"{connection.label} at rest: {run.state} {run.error}")
                found = [line for each in connections for line in await self._find_differences(each)]
        assert found == [], "\n".join([*found, *self.story])

    async def _find_differences(self, connection: Connection) -> list[str]:
        login = next(name for name, each in self.connections.items() if each == connection)
        return await in_thread(random_worlds.find_differences)(self.sandbox.truth(login), connection)

    async def _disturb(self, changed: list[str]) -> bool:
        """Change the world and add faults; return whether all answers of Amazon will still be correct."""
        for _ in range(self.chance.randint(0, 3)):
            random_worlds.change_world(self.chance, self.sandbox.world)
        if self.chance.random() < 0.3:
            await in_thread(random_worlds.operate)(self.chance, self.owner.pk)
        is_truthful = random_worlds.set_faults(self.chance, self.sandbox, changed)
        if self.chance.random() < 0.5:
            switch = self.chance.choice(random_worlds.SWITCHES)
            self.sandbox.faults.add("switch", area="api", **switch)
        return is_truthful

    async def _choose_connection(self, login: str, *, calm: bool) -> Connection:
        """Return the connection to sync. It may first break, heal, or be disconnected and connected again."""
        connection = self.connections[login]
        if not calm and self.chance.random() < 0.1:
            await in_thread(random_worlds.break_or_heal)(self.chance, connection)
        elif not calm and self.chance.random() < 0.05:
            await in_thread(disconnect_connection)(SYSTEM, connection)
        connection = await in_thread(Connection.objects.get)(pk=connection.pk)
        if connection.state == Connection.State.DISCONNECTED:
            connection = await in_thread(self.connect)(login)
        self.connections[login] = connection
        if calm and connection.state != Connection.State.ACTIVE:
            await in_thread(random_worlds.break_or_heal)(self.chance, connection)
        return connection

    def _kill_during_run(self, connection: Connection) -> None:
        async def die(_call: object) -> None:
            await in_thread(random_worlds.close_as_dead)(connection)

        self.sandbox.faults.add("run", area="api", nth=self.chance.randint(1, 12), function=die)

    async def _sync(self, connection: Connection, *, calm: bool) -> SyncRun:
        requested = await in_thread(queue_sync)(connection, trigger=SyncRun.Trigger.MANUAL)
        if requested.state == SyncRun.State.WAITING:
            syncing = asyncio.create_task(sync_connection(requested.pk, self.amazon, max_wait=0.3))
            if not calm and self.chance.random() < 0.1:
                await asyncio.sleep(self.chance.random() * 0.2)
                syncing.cancel()
            await asyncio.gather(syncing, return_exceptions=True)
            if not syncing.cancelled() and isinstance(syncing.exception(), AnotherRunActiveError):
                # A process was stopped while it claimed the run, which the rescue finds out later.
                await in_thread(random_worlds.close_as_dead)(connection)
            elif not syncing.cancelled():
                syncing.result()
        return await in_thread(SyncRun.objects.get)(pk=requested.pk)

    async def _check_gone(self, before: Any) -> None:
        truths = {
            str(each.pk): build_expected(self.sandbox.truth(name))
            for name, each in self.connections.items()
            if each.state != Connection.State.DISCONNECTED
        }
        gone = await in_thread(random_worlds.find_wrongly_gone)(before, self.owner.pk, truths)
        assert not gone, (gone, self.story)

    async def _check_tables(self, run: SyncRun, connection: Connection) -> None:
        # A run that waits for another one to confirm that accounts are gone still shows them, and so does a run that
        # sees an account by its profiles only.
        is_complete = all(
            source["outcome"] == "complete"
            and all(error["kind"] not in {UNCONFIRMED, HELD} for error in source["errors"])
            for source in run.sources
        )
        if run.state == SyncRun.State.SUCCEEDED and is_complete:
            found = await self._find_differences(connection)
            assert found == [], "\n".join([*found, *self.story, *map(str, run.sources)])
