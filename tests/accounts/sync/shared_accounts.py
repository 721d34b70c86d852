"""Two logins that share accounts, and readers of what is stored about them."""

from accounts.models import Account, AccountAccess
from amazon_accounts.postgresql.threads import in_thread
from amazon_accounts.sandbox.state import Sandbox
from amazon_accounts.sandbox.world import (
    Maker,
    World,
    default_client,
)
from tokens.models import Connection


@in_thread
def find_account(name: str) -> Account:
    return Account.objects.select_related("connection").get(name=name)


@in_thread
def list_statuses() -> dict[str, str]:
    """Return the status of each account by its name, with the reason if there is one."""
    return {
        name: f"{status}: {reason}" if reason else status
        for name, status, reason in Account.objects.values_list("name", "status", "inactive_reason")
    }


@in_thread
def list_seen_by(connection: Connection) -> set[str]:
    return set(AccountAccess.objects.filter(connection=connection).values_list("account__name", flat=True))


def make_shared_world(sandbox: Sandbox) -> World:
    # Each login sees five accounts. Three accounts are shared.
    world = World(1)
    world.add_client(default_client([]))
    maker = Maker(world)
    first, second = world.add_login("first"), world.add_login("second")
    for name in ("one", "two"):
        maker.account(name, "seller", ["US"], first)
    for name in ("three", "four", "five"):
        maker.account(name, "seller", ["DE"], first, second)
    for name in ("six", "seven"):
        maker.account(name, "vendor", ["JP"], second)
    sandbox.reset(world)
    return sandbox.world


def hide(world: World, login: str, *names: str) -> None:
    for each in list(world.ads_accounts.values()):
        if each.account_name in names:
            world.let_see(world.logins[login], ads_account_id=each.ads_account_id, level=None)


def show(world: World, login: str, *names: str) -> None:
    for each in list(world.ads_accounts.values()):
        if each.account_name in names:
            world.let_see(world.logins[login], ads_account_id=each.ads_account_id)
