"""The real client, its requests answered by the sandbox."""

from collections.abc import AsyncIterator, Callable

import pytest
import pytest_asyncio
from django.conf import LazySettings

from amazon_accounts.amazon_ads.client import AdsApi, AmazonClient, TokenSource
from amazon_accounts.amazon_ads.pacing.pace import MAX_WAIT_SECONDS
from amazon_accounts.amazon_ads.pacing.rate_limiter import ExponentialBackoffRateLimiter
from amazon_accounts.amazon_ads.wire import Timeouts
from amazon_accounts.sandbox.state import Sandbox
from tests.sandbox_fixtures import SandboxServer, SandboxTransport

CLIENT_ID = "amzn1.application-oa2-client.5a4d0b0c0d0e4f5061728394a5b6c7d8"

# Asynchronous code uses the database in threads with connections of their own. Only the tables of this app are
# emptied after each test, which is much faster.
OWN_TABLES = pytest.mark.django_db(transaction=True, available_apps=["amazon_accounts.amazon_ads"])


class GivenTokens:
    """A token source that gives the next of these tokens when one is rejected."""

    def __init__(self, *tokens: str) -> None:
        self.tokens = list(tokens)
        self.rejected: list[str] = []

    async def __call__(self, rejected: str | None = None) -> str:
        if rejected is not None:
            self.rejected.append(rejected)
            if rejected == self.tokens[0] and len(self.tokens) > 1:
                self.tokens.pop(0)
        return self.tokens[0]


AdsApiFactory = Callable[..., AdsApi]


@pytest.fixture(autouse=True)
def fast_pace(settings: LazySettings) -> None:
    """Make tests that are not about the pace quick."""
    settings.AMAZON_BACKOFF_BASE_SECONDS = 0.01
    settings.AMAZON_BACKOFF_MAX_SECONDS = 0.1
    settings.AMAZON_REQUESTS_PER_SECOND = 1000.0
    settings.AMAZON_MAX_REQUESTS_PER_SECOND = 2000.0
    settings.AMAZON_BURST = 100
    settings.LWA_REQUESTS_PER_SECOND = 1000.0


@pytest.fixture
def limiter() -> ExponentialBackoffRateLimiter:
    """The limiter of the clients. Tests of other limits replace it."""
    return ExponentialBackoffRateLimiter()


@pytest.fixture
def timeouts() -> Timeouts:
    """The timeouts of the clients. Tests of other timeouts replace them."""
    return Timeouts()


@pytest_asyncio.fixture
async def amazon(
    sandbox_transport: SandboxTransport, transactional_db: None, limiter: ExponentialBackoffRateLimiter
) -> AsyncIterator[AmazonClient]:
    """A client whose requests lead into the sandbox of this process."""
    async with AmazonClient(transport=sandbox_transport, limiter=limiter) as client:
        yield client


@pytest.fixture
def api_for(amazon: AmazonClient, sandbox: Sandbox) -> AdsApiFactory:
    """The API as a login of the sandbox sees it: `api_for("alice")`."""
    return _factory(amazon, sandbox)


@pytest_asyncio.fixture
async def amazon_over_http(
    sandbox_server: SandboxServer, transactional_db: None, timeouts: Timeouts
) -> AsyncIterator[AmazonClient]:
    async with AmazonClient(timeouts=timeouts) as client:
        yield client


@pytest.fixture
def api_over_http_for(amazon_over_http: AmazonClient, sandbox_server: SandboxServer) -> AdsApiFactory:
    return _factory(amazon_over_http, sandbox_server.sandbox)


def _factory(amazon: AmazonClient, sandbox: Sandbox) -> AdsApiFactory:
    def make(
        name: str = "alice", *, token: TokenSource | None = None, max_wait: float = MAX_WAIT_SECONDS
    ) -> AdsApi:
        return amazon.with_token(
            subject=name,
            client_id=CLIENT_ID,
            token=token or GivenTokens(sandbox.access_token(name)),
            max_wait=max_wait,
        )

    return make
