"""Connections move between teams at random while their syncs run: nothing is lost, nothing is there twice.

MOVES=1000 pytest tests/accounts/sync/test_random_moves.py     more moves; MOVES_SEED=17 is another world
"""

import asyncio
import os
import random
from collections import defaultdict
from contextlib import suppress
from dataclasses import dataclass, field

import pytest
from django.contrib.auth.models import User
from django.db.models import F

from accounts.models import Account, AccountAccess, AccountChange, AccountManager, SyncRun
from accounts.sync.claims import AnotherRunActiveError, RunTakenError
from accounts.sync.requests import queue_sync
from accounts.sync.run import sync_connection
from amazon_accounts.amazon_ads.client import AmazonClient
from amazon_accounts.postgresql.threads import in_thread
from amazon_accounts.sandbox.state import Sandbox
from amazon_accounts.sandbox.world import Maker, World, default_client
from tests.accounts.sync.conftest import ConnectionFactory
from tests.sandbox_fixtures import SandboxTransport
from tokens.connect.move import MoveRefusedError, move_connection
from tokens.models import Connection, Team
from tokens.permissions import SYSTEM

pytestmark = pytest.mark.django_db(transaction=True)

SEED = int(os.environ.get("MOVES_SEED", "1"))
MOVES = int(os.environ.get("MOVES", "100"))
LOGINS = 6
TEAMS = 3
# Each login is connected in so many teams at the beginning.
CONNECTIONS = 8


def make_world(chance: random.Random) -> World:
    world = World(SEED)
    world.add_client(default_client([]))
    maker = Maker(world)
    logins = [world.add_login(f"login-{number}") for number in range(LOGINS)]
    for number in range(24):
        seen_by = chance.sample(logins, chance.randint(1, 3))
        maker.account(f"Account {number}", "seller", chance.sample(["US", "DE", "JP"], 2), *seen_by)
    for number in range(2):
        seen_by = chance.sample(logins, 2)
        maker.agency(f"Agency {number}", "US", *seen_by, advertisers=2)
        links = [maker.link(profile, "linked") for profile in chance.sample(list(world.profiles.values()), 3)]
        maker.manager(f"Manager {number}", links, *seen_by)
    return world


@dataclass
class Trial:
    chance: random.Random
    amazon: AmazonClient
    connections: list[Connection]
    teams: list[Team]
    is_over: bool = False
    refusals: set[str] = field(default_factory=set)
    moves: int = 0

    async def sync_at_random(self) -> None:
        while not self.is_over:
            await self.sync(self.chance.choice(self.connections))

    async def sync(self, connection: Connection) -> None:
        stored = await in_thread(Connection.objects.get)(pk=connection.pk)
        run = await in_thread(queue_sync)(stored, trigger=SyncRun.Trigger.MANUAL)
        with suppress(AnotherRunActiveError, RunTakenError):
            await sync_connection(run.pk, self.amazon, max_wait=5)

    async def move_at_random(self) -> None:
        while self.moves < MOVES:
            connection, team = self.chance.choice(self.connections), self.chance.choice(self.teams)
            try:
                await in_thread(self._move)(connection, team)
                self.moves += 1
            except MoveRefusedError as error:
                self.refusals.add(str(error))
            await asyncio.sleep(self.chance.random() * 0.1)
        self.is_over = True

    def _move(self, connection: Connection, team: Team) -> None:
        move_connection(SYSTEM, Connection.objects.get(pk=connection.pk), team)
        assert find_mixed_teams() == []


def find_mixed_teams() -> list[str]:
    """Return what links rows of two teams."""
    found = Account.objects.exclude(team=F("connection__team"))
    parents = Account.objects.filter(parent__isnull=False).exclude(team=F("parent__team"))
    accesses = AccountAccess.objects.exclude(account__team=F("connection__team"))
    links = AccountManager.objects.exclude(account__team=F("manager__team"))
    return [f"{rows.model.__name__} {row}" for rows in (found, parents, accesses, links) for row in rows]


def list_expected(world: World) -> dict[str, set[str]]:
    """Return the ads accounts that each login sees."""
    return {name: set(login.ads_accounts) for name, login in world.logins.items()}


def read_stored() -> dict[tuple[str, str], set[str]]:
    """Return the ads accounts that each connection sees, by its team and label."""
    stored = defaultdict(set)
    rows = AccountAccess.objects.filter(account__source="ads_accounts")
    for team, label, key in rows.values_list(
        "connection__team__name", "connection__label", "account__amazon_account_id"
    ):
        stored[team, label].add(key)
    return dict(stored)


async def test_moves_beside_running_syncs(
    owner: User, connect: ConnectionFactory, sandbox: Sandbox, sandbox_transport: SandboxTransport
) -> None:
    chance = random.Random(SEED)
    sandbox.reset(make_world(chance))
    teams = [await in_thread(Team.objects.create)(name=f"Team {number}") for number in range(TEAMS)]
    places = chance.sample([(login, team) for login in range(LOGINS) for team in range(TEAMS)], CONNECTIONS)
    connections = [
        await in_thread(connect)(
            f"login-{login}",
            team=teams[team],
            label=f"login-{login}",
            amazon_user_id=f"amzn1.account.{login}",
        )
        for login, team in places
    ]
    async with AmazonClient(transport=sandbox_transport) as amazon:
        trial = Trial(chance, amazon, connections, teams)
        for connection in connections:
            await trial.sync(connection)
        labels = await in_thread(label_everything)()
        async with asyncio.TaskGroup() as group:
            group.create_task(trial.move_at_random())
            for _ in range(3):
                group.create_task(trial.sync_at_random())
        states = set(await in_thread(lambda: list(SyncRun.objects.values_list("state", "error")))())
        for connection in connections:
            await trial.sync(connection)
    assert states >= {("succeeded", ""), ("failed", "The connection was moved to another team.")}
    assert all("is connected in the team" in each or "already" in each for each in trial.refusals)
    expected = list_expected(sandbox.world)
    stored = await in_thread(read_stored)()
    places_now = await in_thread(lambda: set(Connection.objects.values_list("team__name", "label")))()
    assert stored == {(team, label): expected[label] for team, label in places_now}
    assert await in_thread(find_mixed_teams)() == []
    await in_thread(check_that_nothing_is_lost)(labels)


def label_everything() -> set[str]:
    """Give each account a label of its own and an entry in its history; return the labels."""
    labels = set()
    for account in Account.objects.all():
        label = str(account.pk)
        labels.add(label)
        Account.objects.filter(pk=account.pk).update(labels={label: "kept"})
        AccountChange.objects.create(account=account, kind="name", new=label)
    return labels


def check_that_nothing_is_lost(labels: set[str]) -> None:
    kept = {label for account in Account.objects.all() for label in account.labels}
    assert kept == labels
    # Each change is there once, on an account that has its label.
    changes = AccountChange.objects.filter(kind="name").select_related("account")
    assert sorted(str(change.new) for change in changes) == sorted(labels)
    assert all(str(change.new) in change.account.labels for change in changes)
    assert not Account.objects.filter(status="inactive").exists()
