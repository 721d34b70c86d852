"""One login of the sandbox, seen through the real client."""

from collections.abc import AsyncIterator, Callable

import pytest
import pytest_asyncio
from django.conf import LazySettings

from amazon_accounts.amazon_ads.client import AdsApi, AmazonClient
from amazon_accounts.amazon_ads.pacing.pace import MAX_WAIT_SECONDS
from amazon_accounts.sandbox.state import Sandbox
from tests.sandbox_fixtures import SandboxServer, SandboxTransport

CLIENT_ID = "amzn1.application-oa2-client.5a4d0b0c0d0e4f5061728394a5b6c7d8"

#: The database for asynchronous code, whose threads have connections of their own. Only this application's tables
#: are emptied after each test, which is much faster than all.
OWN_TABLES = pytest.mark.django_db(transaction=True, available_apps=["amazon_accounts.amazon_ads"])


class GivenTokens:
    """A token source: these tokens, one after the other as each is rejected."""

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
def in_a_hurry(settings: LazySettings) -> None:
    """What is not about the pace shall not wait for it."""
    settings.AMAZON_BACKOFF_BASE_SECONDS = 0.01
    settings.AMAZON_BACKOFF_MAX_SECONDS = 0.1
    settings.AMAZON_REQUESTS_PER_SECOND = 1000.0
    settings.AMAZON_MAX_REQUESTS_PER_SECOND = 2000.0
    settings.AMAZON_BURST = 100
    settings.LWA_REQUESTS_PER_SECOND = 1000.0


@pytest_asyncio.fixture
async def amazon(sandbox_transport: SandboxTransport, transactional_db: None) -> AsyncIterator[AmazonClient]:
    """The client, its wire leading into the sandbox in this process."""
    async with AmazonClient(transport=sandbox_transport) as client:
        yield client


@pytest.fixture
def login(amazon: AmazonClient, sandbox: Sandbox) -> AdsApiFactory:
    """login("alice"): the calls of this login of the sandbox."""
    return _factory(amazon, sandbox)


@pytest_asyncio.fixture
async def amazon_over_http(
    sandbox_server: SandboxServer, transactional_db: None
) -> AsyncIterator[AmazonClient]:
    async with AmazonClient() as client:
        yield client


@pytest.fixture
def login_over_http(amazon_over_http: AmazonClient, sandbox_server: SandboxServer) -> AdsApiFactory:
    return _factory(amazon_over_http, sandbox_server.sandbox)


def _factory(amazon: AmazonClient, sandbox: Sandbox) -> AdsApiFactory:
    def make(
        name: str = "alice", *, token: GivenTokens | None = None, max_wait: float = MAX_WAIT_SECONDS
    ) -> AdsApi:
        return amazon.with_token(
            subject=name,
            client_id=CLIENT_ID,
            token=token or GivenTokens(sandbox.access_token(name)),
            max_wait=max_wait,
        )

    return make
