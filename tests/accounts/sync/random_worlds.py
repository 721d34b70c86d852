"""Worlds that change at random, random faults, and checks that must hold after every sync."""

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from django.db.models import F
from django.utils import timezone

from accounts.models import Account, AccountAccess, AccountManager, SyncRun
from accounts.sync.handover import hand_over_broken
from accounts.sync.rescue import DEAD_AFTER, rescue_runs
from amazon_accounts.sandbox.calls import Call
from amazon_accounts.sandbox.state import Sandbox
from amazon_accounts.sandbox.world import (
    AdsAccount,
    Alternate,
    Link,
    Login,
    Maker,
    Profile,
    World,
    default_client,
)
from tests.accounts.sync.expected_rows import AccountsById, build_expected, read_stored
from tokens.models import Connection

COUNTRIES = ["US", "CA", "DE", "UK", "JP"]
NAMES = [
    "Garden",
    "<b>bold</b>",
    "'; DROP TABLE x; --",
    "\u202eright to left",
    "{{ 7 * 7 }}",
    "x" * 250,
    "",
    "🦄",
]
STATUSES = ["CREATED", "CREATED", "CREATED", "DISABLED", "PENDING", "PARTIALLY_CREATED", "NEW_WORD", None]

# Faults that end in a correct answer, an error or no answer, but never in a wrong answer.
FAULTS: list[tuple[str, dict[str, Any]]] = [
    ("error_500", {}),
    ("error_503", {}),
    ("bad_gateway", {}),
    ("gateway_timeout", {}),
    ("busy", {}),
    ("drop", {}),
    ("drop_after", {}),
    ("empty", {}),
    ("html", {}),
    ("wrong_type", {}),
    ("truncated", {}),
    ("plain_text", {}),
    ("forbidden", {}),
    ("unauthorized", {}),
    ("authentication_failed", {}),
    ("end_token", {}),
    ("stale_page_token", {}),
    ("duplicate_record", {}),
    ("empty_page", {}),
    ("repeating_token", {}),
    ("extra_fields", {}),
    ("ids_as_strings", {}),
    ("throttle", {"seconds": 0.05}),
]
# Wrong answers: the run may succeed, but must not remove what it could not read.
LIES = ["missing_ids", "unknown_values", "odd_errors", "missing_fields"]
SWITCHES: list[dict[str, Any]] = [
    {"alternate_ids": "separate"},
    {"alternate_ids": "merged"},
    {"united_kingdom": "GB"},
    {"end_of_list": "empty"},
    {"end_of_list": "null"},
    {"profile_id": "string"},
    {"no_dsp_advertiser": "absent"},
    {"no_profile": "empty"},
]
PATHS = ["/adsAccounts/list", "/v2/profiles", "/managerAccounts", "/dsp/advertisers", ""]


def make_world(chance: random.Random, seed: int) -> World:
    world = World(seed)
    world.add_client(default_client([]))
    maker = Maker(world)
    logins = [world.add_login(name) for name in ("first", "second")]
    for _ in range(chance.randint(2, 14)):
        new_account(chance, world, maker, choose_some(chance, logins))
    for _ in range(chance.randint(0, 4)):
        new_unclaimed_profile(chance, maker, choose_some(chance, logins))
    for number in range(chance.randint(0, 2)):
        maker.agency(
            f"Agency {number}",
            chance.choice(COUNTRIES),
            *choose_some(chance, logins),
            advertisers=chance.randint(0, 3),
        )
    for _ in range(chance.randint(0, 2)):
        new_manager(chance, world, maker, choose_some(chance, logins))
    return world


def choose_some(chance: random.Random, logins: list[Login]) -> list[Login]:
    return chance.sample(logins, chance.randint(1, len(logins)))


def new_account(chance: random.Random, world: World, maker: Maker, logins: list[Login]) -> None:
    made = maker.account(
        chance.choice(NAMES),
        chance.choice(["seller", "vendor"]),
        chance.sample(COUNTRIES, chance.randint(0, 3)),
        *logins,
        level=chance.choice(["view", "edit"]),
    )
    made.status = chance.choice(STATUSES)
    for alternate in made.alternates:
        if alternate.profile_id and chance.random() < 0.2:
            world.profiles[alternate.profile_id].has_campaigns = False


def new_unclaimed_profile(chance: random.Random, maker: Maker, logins: list[Login]) -> None:
    owner = maker.seller_id()
    for country in chance.sample(COUNTRIES, chance.randint(1, 2)):
        maker.profile(country, owner, "seller", *logins, name=chance.choice(NAMES))


def new_manager(chance: random.Random, world: World, maker: Maker, logins: list[Login]) -> None:
    maker.manager(chance.choice(NAMES), some_links(chance, world, maker), *logins)


def some_links(chance: random.Random, world: World, maker: Maker) -> list[Link]:
    profiles = chance.sample(list(world.profiles.values()), min(len(world.profiles), chance.randint(0, 4)))
    links = [maker.link(profile, "linked") for profile in profiles if profile.type != "agency"]
    for advertiser_id in chance.sample(list(world.dsp_advertisers), min(len(world.dsp_advertisers), 1)):
        advertiser = world.dsp_advertisers[advertiser_id]
        if (agency := world.profiles.get(advertiser.agency_profile_id)) is not None:
            links.append(maker.link(agency, advertiser.name, advertiser=advertiser))
    return links


def change_world(chance: random.Random, world: World) -> None:
    # One random change.
    maker = Maker(world)
    logins = list(world.logins.values())
    chance.choice(CHANGES)(chance, world, maker, logins)


def _rename(chance: random.Random, world: World, _maker: Maker, _logins: list[Login]) -> None:
    for account in _some_accounts(chance, world):
        account.account_name = chance.choice(NAMES)


def _set_status(chance: random.Random, world: World, _maker: Maker, _logins: list[Login]) -> None:
    for account in _some_accounts(chance, world):
        account.status = chance.choice(STATUSES)


def _some_accounts(chance: random.Random, world: World) -> list[AdsAccount]:
    return chance.sample(list(world.ads_accounts.values()), min(2, len(world.ads_accounts)))


def _remove(chance: random.Random, world: World, _maker: Maker, _logins: list[Login]) -> None:
    for account in _some_accounts(chance, world):
        world.remove_ads_account(account.ads_account_id)


def _drop(chance: random.Random, world: World, _maker: Maker, _logins: list[Login]) -> None:
    # An ads account leaves all lists, and its profiles stay. If one login still listed it, its profiles would be no
    # accounts of their own for the other logins.
    for account in _some_accounts(chance, world)[:1]:
        for login in world.logins.values():
            if account.ads_account_id in login.ads_accounts:
                login.ads_accounts.remove(account.ads_account_id)
        del world.ads_accounts[account.ads_account_id]


def _hide(chance: random.Random, world: World, _maker: Maker, logins: list[Login]) -> None:
    login = chance.choice(logins)
    for account_id in chance.sample(login.ads_accounts, min(2, len(login.ads_accounts))):
        world.let_see(login, ads_account_id=account_id, level=None)


def _show(chance: random.Random, world: World, _maker: Maker, logins: list[Login]) -> None:
    for account in _some_accounts(chance, world):
        world.let_see(
            chance.choice(logins),
            ads_account_id=account.ads_account_id,
            level=chance.choice(["view", "edit"]),
        )


def _hide_all(chance: random.Random, world: World, _maker: Maker, logins: list[Login]) -> None:
    login = chance.choice(logins)
    for account_id in list(login.ads_accounts):
        world.let_see(login, ads_account_id=account_id, level=None)


def _new_account(chance: random.Random, world: World, maker: Maker, logins: list[Login]) -> None:
    new_account(chance, world, maker, choose_some(chance, logins))


def _new_profile(chance: random.Random, _world: World, maker: Maker, logins: list[Login]) -> None:
    new_unclaimed_profile(chance, maker, choose_some(chance, logins))


def _find_unclaimed_profiles(world: World) -> list[Profile]:
    named = {found.profile_id for account in world.ads_accounts.values() for found in account.alternates}
    return [
        profile
        for profile in world.profiles.values()
        if profile.profile_id not in named and profile.type != "agency"
    ]


def _name_profile(chance: random.Random, world: World, maker: Maker, _logins: list[Login]) -> None:
    # A new ads account names a profile that no ads account named before.
    for profile in _find_unclaimed_profiles(world)[:1]:
        account = AdsAccount(
            maker.ads_account_id(),
            "named",
            "CREATED",
            [profile.country_code],
            [Alternate(profile.country_code, profile.profile_id, None)],
        )
        seen_by = [login for login in world.logins.values() if profile.profile_id in login.profiles]
        world.add_ads_account(account, *seen_by)


def _forget_profile(chance: random.Random, world: World, _maker: Maker, _logins: list[Login]) -> None:
    # No ads account names the first profile of an ads account any more.
    for account in _some_accounts(chance, world)[:1]:
        account.alternates = account.alternates[1:]


def _remove_profile(chance: random.Random, world: World, _maker: Maker, _logins: list[Login]) -> None:
    if world.profiles:
        world.remove_profile(chance.choice(list(world.profiles)))


def _change_profile(chance: random.Random, world: World, _maker: Maker, logins: list[Login]) -> None:
    for profile in chance.sample(list(world.profiles.values()), min(2, len(world.profiles))):
        profile.valid_payment_method = chance.choice([True, False, None])
        profile.daily_budget = chance.choice([None, 1.0, 340.25])
        profile.has_campaigns = chance.random() < 0.8
        for login in logins:
            if profile.profile_id in login.profiles:
                login.profiles[profile.profile_id] = chance.choice(["view", "edit"])


def _change_advertisers(chance: random.Random, world: World, maker: Maker, _logins: list[Login]) -> None:
    agencies = [profile for profile in world.profiles.values() if profile.type == "agency"]
    if world.dsp_advertisers and chance.random() < 0.5:
        advertiser_id = chance.choice(list(world.dsp_advertisers))
        if world.dsp_advertisers[advertiser_id].agency_profile_id in world.advertisers_of:
            world.remove_dsp_advertiser(advertiser_id)
    elif agencies:
        maker.advertiser(chance.choice(agencies), chance.choice(NAMES) or "an advertiser")


def _change_managers(chance: random.Random, world: World, maker: Maker, logins: list[Login]) -> None:
    managers = list(world.manager_accounts.values())
    if managers and chance.random() < 0.3:
        world.remove_manager_account(chance.choice(managers).manager_account_id)
    elif managers and chance.random() < 0.6:
        chance.choice(managers).links = some_links(chance, world, maker)
    else:
        new_manager(chance, world, maker, choose_some(chance, logins))


CHANGES: list[Callable[[random.Random, World, Maker, list[Login]], None]] = [
    _rename,
    _set_status,
    _remove,
    _drop,
    _hide,
    _show,
    _hide_all,
    _new_account,
    _new_profile,
    _name_profile,
    _forget_profile,
    _remove_profile,
    _change_profile,
    _change_advertisers,
    _change_managers,
]


def set_faults(chance: random.Random, sandbox: Sandbox, changed: list[str]) -> bool:
    """Add random faults; return whether all answers of Amazon will still be correct."""
    sandbox.faults.clear()
    for _ in range(chance.choice([0, 0, 1, 1, 2, 3])):
        kind, options = chance.choice(FAULTS)
        sandbox.faults.add(
            kind,
            path=chance.choice(PATHS),
            region=chance.choice(["", "", "na", "eu", "fe"]).upper(),
            after=chance.randint(0, 6),
            probability=chance.choice([0.3, 0.7, 1.0]),
            count=chance.choice([0, 1, 3]),
            area="api",
            **options,
        )
    if chance.random() < 0.15:
        lie = chance.choice(LIES)
        sandbox.faults.add(lie, area="api", path=chance.choice(PATHS), probability=0.5)
        return False
    if chance.random() < 0.15:
        # The world changes while it is read.
        def change(_call: Call) -> None:
            change_world(chance, sandbox.world)
            changed.append("in the middle of the run")

        sandbox.faults.add("run", area="api", nth=chance.randint(1, 8), function=change)
    return True


@dataclass
class Before:
    """The status of each account before a run, and the connections that saw it."""

    visible: dict[str, str] = field(default_factory=dict)
    seen_by: dict[str, set[str]] = field(default_factory=dict)


def read_before(owner_id: int) -> Before:
    accounts = Account.objects.filter(user_id=owner_id)
    before = Before(visible=dict(accounts.values_list("amazon_account_id", "status")))
    pairs = AccountAccess.objects.filter(account__user_id=owner_id).values_list(
        "account__amazon_account_id", "connection_id"
    )
    for key, connection_id in pairs:
        before.seen_by.setdefault(key, set()).add(str(connection_id))
    return before


def find_wrongly_gone(before: Before, owner_id: int, truths: dict[str, AccountsById]) -> set[str]:
    """Return the accounts that are not visible now, although a login that saw them still sees them.

    `truths` maps the id of a connection to what its login sees.
    """
    gone = Account.objects.filter(
        user_id=owner_id, inactive_reason=Account.InactiveReason.NOT_VISIBLE
    ).values_list("amazon_account_id", flat=True)
    return {
        key
        for key in gone
        if before.visible.get(key) not in {None, "inactive"}
        and any(
            key in truths[connection_id]
            for connection_id in before.seen_by.get(key, ())
            if connection_id in truths
        )
    }


def find_differences(truth: dict[str, object], connection: Connection) -> list[str]:
    """Return one line for each difference that a succeeded run has left.

    Access is compared for all accounts, details for the accounts that this connection writes.
    """
    should, there = build_expected(truth), read_stored(connection)
    found = [f"{key} is missing" for key in should.keys() - there.keys()]
    found += [f"{key} is not at Amazon" for key in there.keys() - should.keys()]
    owned = set(
        Account.objects.filter(connection=connection, sync_enabled=True)
        .exclude(inactive_reason=Account.InactiveReason.DISCONNECTED)
        .filter(amazon_account_id__in=should)
        .values_list("amazon_account_id", flat=True)
    )
    for key in should.keys() & there.keys() & owned:
        for name in ("source", "type", "name", "status", "amazon_status", "countries", "errors", "profiles"):
            if should[key][name] != there[key][name]:
                found.append(f"{key}: {name} should be {should[key][name]!r}, is {there[key][name]!r}")
        parents, parent = should[key]["parents"], there[key]["parents"]
        if not parent <= parents or bool(parent) != bool(parents):
            found.append(f"{key}: parent should be of {parents}, is {parent}")
    return found + _wrong_links(should, owned, connection)


def _wrong_links(should: AccountsById, owned: set[str], connection: Connection) -> list[str]:
    links = set(
        AccountManager.objects.filter(manager__amazon_account_id__in=owned, manager__connection=connection)
        .filter(account__connection=connection, account__accesses__connection=connection)
        .values_list("manager__amazon_account_id", "account__amazon_account_id")
    )
    wanted = {
        (manager, key)
        for key, account in should.items()
        for manager in account["managers"]
        if manager in owned and key in owned
    }
    missing, surplus = wanted - links, {link for link in links if link[1] in owned} - wanted
    return [f"link {link} is missing" for link in missing] + [f"link {link} is surplus" for link in surplus]


def close_as_dead(connection: Connection) -> None:
    # As if the worker hung: its run is closed and requested again, and then the worker continues.
    SyncRun.objects.filter(connection=connection, state=SyncRun.State.RUNNING).update(
        heartbeat_at=F("heartbeat_at") - 2 * DEAD_AFTER
    )
    rescue_runs()


def operate(chance: random.Random, owner_id: int) -> None:
    # One random action of a person.
    account = chance.choice([*Account.objects.filter(user_id=owner_id), None])
    if account is None:
        return
    if chance.random() < 0.5:
        Account.objects.filter(pk=account.pk).update(sync_enabled=chance.random() < 0.5)
    elif account.inactive_reason == Account.InactiveReason.DISCONNECTED:
        Account.objects.filter(pk=account.pk).update(
            status=Account.Status.INACTIVE, inactive_reason=Account.InactiveReason.NOT_VISIBLE
        )
    else:
        Account.objects.filter(pk=account.pk).update(
            status=Account.Status.INACTIVE,
            inactive_reason=Account.InactiveReason.DISCONNECTED,
            disconnected_at=timezone.now(),
        )


def break_or_heal(chance: random.Random, connection: Connection) -> None:
    if connection.state == Connection.State.ACTIVE:
        Connection.objects.filter(pk=connection.pk).update(
            state=Connection.State.REAUTHORIZATION_REQUIRED, next_refresh_at=None
        )
        connection.refresh_from_db()
        hand_over_broken(connection)
    else:
        Connection.objects.filter(pk=connection.pk).update(
            state=Connection.State.ACTIVE, grant_version=F("grant_version") + 1
        )


def give_new_consent(connection: Connection, refresh_token: str) -> None:
    connection.refresh_from_db()
    connection.state = Connection.State.ACTIVE
    connection.refresh_token, connection.access_token, connection.expires_at = refresh_token, None, None
    connection.grant_version += 1
    connection.save()
