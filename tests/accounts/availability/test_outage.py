"""What real refreshes store is enough to say whose fault a time without a token was."""

from datetime import datetime, timedelta
from itertools import groupby
from typing import Any

import pytest
from django.conf import LazySettings
from django.db import connection as database

from accounts.availability.facts import __file__ as facts_file
from accounts.availability.facts import find_failing_times, how_long_a_failure_explains, read_facts
from accounts.availability.minutes import Span, TokenMinute, find_token_times
from amazon_accounts.amazon_ads.client import AmazonClient
from amazon_accounts.amazon_ads.models import RateLimit
from amazon_accounts.postgresql.clock import database_now
from amazon_accounts.postgresql.statements import load
from amazon_accounts.postgresql.threads import in_thread
from amazon_accounts.sandbox.state import Sandbox
from tests.accounts.sync.conftest import ConnectionFactory
from tokens.models import Connection, TokenRefresh
from tokens.refresh.due import refresh_due

pytestmark = pytest.mark.django_db

TOKEN_PATH = "/auth/o2/token"
LOGINS = 8


def tell(connection: Connection, until: datetime) -> list[str]:
    """Return what the token of the connection was, in the order of time, since it was connected."""
    whole = Span(connection.created_at, until)
    facts = read_facts([connection], whole, until)[connection.pk]
    times = find_token_times(facts, until, explains=how_long_a_failure_explains())
    named = sorted(times.explain(find_failing_times(times.unexplained)))
    words = [word for span, word in named if span.begin < span.end and span.end > connection.created_at]
    return [word for word, _ in groupby(words)]


def read_all() -> list[Connection]:
    return list(Connection.objects.order_by("pk"))


@pytest.fixture
def due(settings: LazySettings) -> None:
    settings.AMAZON_MAX_ATTEMPTS = 1


async def make_due(connect: ConnectionFactory) -> None:
    def make() -> None:
        for number in range(LOGINS):
            connect(("bob", "charlie")[number % 2], next_refresh_at=database_now())

    await in_thread(make)()


async def again(amazon: AmazonClient) -> None:
    def be_due() -> None:
        RateLimit.objects.update(circuit_open_until=None)
        Connection.objects.filter(state="active").update(next_refresh_at=database_now())

    await in_thread(be_due)()
    await refresh_due(amazon)


@pytest.mark.usefixtures("due")
async def test_an_outage_is_lost_to_amazon_for_every_login(
    connect: ConnectionFactory, amazon: AmazonClient, sandbox: Sandbox
) -> None:
    await make_due(connect)
    sandbox.faults.add("error_503", name="outage", path=TOKEN_PATH)
    await refresh_due(amazon, max_wait=0.1)
    # One login was not tried any more, as when a check meets many failures.
    await in_thread(TokenRefresh.objects.filter(connection=(await in_thread(read_all)())[0]).delete)()
    sandbox.faults.clear()
    await again(amazon)
    now = await in_thread(database_now)()
    for connection in await in_thread(read_all)():
        # They had no token at first, and nobody had tried to get one.
        assert await in_thread(tell)(connection, now) == [
            TokenMinute.US,
            TokenMinute.AMAZON,
            TokenMinute.VALID,
        ]


@pytest.mark.usefixtures("due")
async def test_a_revoked_consent_is_lost_to_consent_for_this_login_alone(
    connect: ConnectionFactory, amazon: AmazonClient, sandbox: Sandbox
) -> None:
    await make_due(connect)
    await refresh_due(amazon)
    sandbox.faults.add("lwa_error", path=TOKEN_PATH, login="bob", status=400, error="invalid_grant")
    await again(amazon)
    now = await in_thread(database_now)() + timedelta(seconds=1)
    told = [await in_thread(tell)(connection, now) for connection in await in_thread(read_all)()]
    valid = [TokenMinute.US, TokenMinute.VALID]
    assert told == [[*valid, TokenMinute.CONSENT], valid] * (LOGINS // 2)


def count_rows(node: dict[str, Any]) -> float:
    """Return how many rows a part of a plan has read, with all its parts."""
    read = float(node["Actual Rows"] + node.get("Rows Removed by Filter", 0))
    return float(node["Actual Loops"]) * read + sum(count_rows(part) for part in node.get("Plans", ()))


def test_a_long_outage_is_not_read_anew_for_each_of_its_failures(connect: ConnectionFactory) -> None:
    connection, now = connect("bob"), database_now()
    begins = [now - timedelta(minutes=number) for number in range(1000)]
    TokenRefresh.objects.bulk_create(
        TokenRefresh(
            connection=connection,
            grant_version=1,
            trigger="scheduled",
            started_at=begin,
            finished_at=begin + timedelta(seconds=1),
            outcome="transient",
        )
        for begin in begins
    )
    parameters: dict[str, Any] = {"since": begins[-1], "until": now, "explains": 300.0, "recovery": 60.0}
    with database.cursor() as cursor:
        cursor.execute("ANALYZE tokens_tokenrefresh")
        statement = load(facts_file, "find_failing_times")
        cursor.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {statement}", parameters)
        ((plan,),) = cursor.fetchall()
    assert count_rows(plan[0]["Plan"]) < 20 * len(begins)
