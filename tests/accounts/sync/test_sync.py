"""A sync makes the tables equal what Amazon shows."""

import pytest
from django.contrib.auth.models import User

from amazon_accounts.postgresql.threads import in_thread
from amazon_accounts.sandbox.state import Sandbox
from amazon_accounts.sandbox.world import demo_world
from tests.accounts.sync.conftest import ConnectionFactory, Sync
from tests.accounts.sync.expected_rows import find_differences
from tokens.models import Connection

pytestmark = pytest.mark.django_db(transaction=True)


@in_thread
def compare(sandbox: Sandbox, login: str, connection: Connection) -> list[str]:
    return find_differences(sandbox.truth(login), connection)


@pytest.mark.parametrize("login", ["alice", "bob", "charlie"])
async def test_it_makes_the_tables_equal_what_amazon_shows(
    connect: ConnectionFactory, sync: Sync, sandbox: Sandbox, login: str
) -> None:
    connection = await in_thread(connect)(login)
    run = await sync(connection)
    assert (run.state, run.error) == ("succeeded", "")
    assert await compare(sandbox, login, connection) == []


async def test_a_second_sync_changes_nothing(
    connect: ConnectionFactory, sync: Sync, sandbox: Sandbox
) -> None:
    connection = await in_thread(connect)("alice")
    first = await sync(connection)
    second = await sync(connection)
    assert first.created == first.seen == 11
    assert (second.created, second.changed, second.unchanged, second.gone) == (0, 0, 11, 0)


async def test_it_stores_the_demo_world(connect: ConnectionFactory, sync: Sync, sandbox: Sandbox) -> None:
    sandbox.reset(demo_world())
    for login in sandbox.world.logins:
        owner = await in_thread(User.objects.create_user)(login)
        connection = await in_thread(connect)(login, owner=owner)
        run = await sync(connection)
        assert run.state == "succeeded", run.error
        assert await compare(sandbox, login, connection) == []
