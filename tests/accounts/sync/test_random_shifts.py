"""Accounts that come and go at random while the list is read: what Amazon has stays, and the tables follow.

SHIFTS=500 pytest tests/accounts/sync/test_random_shifts.py     500 examples
"""

import os
from dataclasses import dataclass
from itertools import count

import pytest
from django.contrib.auth.models import User
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from accounts.models import Account
from amazon_accounts.postgresql.threads import in_thread
from amazon_accounts.sandbox.state import Sandbox
from amazon_accounts.sandbox.world import AdsAccount, Login, Maker, World, default_client
from tests.accounts.sync.conftest import ConnectionFactory, Sync
from tests.accounts.sync.expected_rows import find_differences
from tokens.models import Connection

# Other tests cover the same code, and measuring makes the many syncs twice as slow.
pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.no_cover]

LIST = "/adsAccounts/list"
EXAMPLES = int(os.environ.get("SHIFTS", "12"))
# A removal may first empty the profiles of an account, and then needs three readings.
MAX_QUIET_RUNS = 5
numbers = count()


@dataclass(frozen=True)
class Event:
    """A change of the world when a page of the list is asked for."""

    kind: str
    page: int
    place: int
    has_profile: bool


events = st.builds(
    Event,
    kind=st.sampled_from(["remove", "remove", "move", "move back", "add", "add in front", "drop", "return"]),
    page=st.integers(1, 5),
    place=st.integers(0, 7),
    has_profile=st.booleans(),
)


def make_world() -> World:
    world = World(1)
    world.add_client(default_client([]))
    first, _ = world.add_login("first"), world.add_login("second")
    for number in range(8):
        make_account(world, first, has_profile=number % 3 > 0)
    return world


def make_account(world: World, login: Login, *, has_profile: bool) -> AdsAccount:
    maker = Maker(world)
    name = f"Shop {len(world.ads_accounts)}"
    if has_profile:
        return maker.account(name, "seller", ["US", "DE"], login)
    return world.add_ads_account(AdsAccount(maker.ads_account_id(), name), login)


def happen(world: World, event: Event, moved: set[str]) -> None:
    first, second = world.logins["first"], world.logins["second"]
    giver = second if event.kind == "move back" else first
    if event.kind.startswith("add"):
        made = make_account(world, first, has_profile=event.has_profile)
        if event.kind == "add in front":
            first.ads_accounts.insert(0, first.ads_accounts.pop())
            assert first.ads_accounts[0] == made.ads_account_id
    elif event.kind == "return":
        listed = {*first.ads_accounts, *second.ads_accounts}
        first.ads_accounts.extend([each for each in world.ads_accounts if each not in listed][:1])
    elif giver.ads_accounts:
        account_id = giver.ads_accounts[event.place % len(giver.ads_accounts)]
        if event.kind == "remove":
            world.remove_ads_account(account_id)
        elif event.kind == "drop":
            # Its profiles are still shown.
            first.ads_accounts.remove(account_id)
        else:
            moved.add(account_id)
            world.let_see(first if giver is second else second, ads_account_id=account_id)
            world.let_see(giver, ads_account_id=account_id, level=None)


def list_shown(world: World) -> set[str]:
    """Return the ads accounts of the first login that have a profile."""
    return {each for each in world.logins["first"].ads_accounts if world.ads_accounts[each].alternates}


@in_thread
def list_not_visible(owner: User) -> set[str]:
    gone = Account.objects.filter(user=owner, inactive_reason="not_visible")
    return set(gone.values_list("amazon_account_id", flat=True))


@in_thread
def list_twins(owner: User) -> list[str]:
    """Return the profiles that two visible accounts have, and the ghosts that are not visible.

    An account that was removed before any list showed it is no ghost, though its profiles were shown.
    """
    profiles = Account.objects.filter(user=owner, inactive_reason=None, profiles__isnull=False)
    found = list(profiles.values_list("profiles__profile_id", flat=True))
    listed = Account.objects.filter(user=owner, source="ads_accounts")
    ghosts = Account.objects.filter(
        user=owner, source="profiles", inactive_reason="not_visible", name__in=listed.values("name")
    )
    twice = {each for each in found if found.count(each) > 1}
    return [*twice, *ghosts.values_list("amazon_account_id", flat=True)]


@pytest.mark.parametrize("paging", ["place", "cursor"])
@given(runs=st.lists(st.lists(events, max_size=4), min_size=1, max_size=4))
@settings(
    deadline=None,
    max_examples=EXAMPLES,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
async def test_no_account_that_a_profile_shows_is_taken_away(
    connect: ConnectionFactory, sync: Sync, sandbox: Sandbox, paging: str, runs: list[list[Event]]
) -> None:
    sandbox.reset(make_world())
    sandbox.choices.change({"max_page_size": 2, "paging": paging})
    owner = await in_thread(User.objects.create_user)(f"owner {next(numbers)}")
    connection = await in_thread(connect)("first", owner=owner)
    await sync(connection)
    for changes in runs:
        before, moved = list_shown(sandbox.world), set[str]()
        for event in changes:
            sandbox.faults.add(
                "run",
                path=LIST,
                nth=event.page,
                function=lambda _call, event=event, moved=moved: happen(sandbox.world, event, moved),
            )
        run = await sync(connection)
        sandbox.faults.clear()
        assert run.state in {"succeeded", "partial"}
        # The profiles of an account that moved away and back may have been read in between.
        shown = (before & list_shown(sandbox.world)) - moved
        assert not await list_not_visible(owner) & shown, run.sources
    await check_that_it_follows(sync, sandbox, connection)
    assert not await list_not_visible(owner) & set(sandbox.world.logins["first"].ads_accounts)
    assert await list_twins(owner) == []


async def check_that_it_follows(sync: Sync, sandbox: Sandbox, connection: Connection) -> None:
    found = ["not synced"]
    for _ in range(MAX_QUIET_RUNS):
        if found:
            await sync(connection)
            found = await in_thread(find_differences)(sandbox.truth("first"), connection)
    assert found == []
