"""What real refreshes store is enough to say whose fault a time without a token was."""

from datetime import datetime, timedelta
from itertools import groupby

import pytest
from django.conf import LazySettings

from accounts.availability.facts import find_failing_times, how_long_a_failure_explains, read_facts
from accounts.availability.minutes import Span, TokenMinute, find_token_times
from amazon_accounts.amazon_ads.client import AmazonClient
from amazon_accounts.amazon_ads.models import RateLimit
from amazon_accounts.postgresql.clock import database_now
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
