"""One owner, connections of the sandbox's logins, and the real client with its wire in the sandbox."""

from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from typing import Any

import pytest
import pytest_asyncio
from django.conf import LazySettings
from django.contrib.auth.models import User
from django.utils import timezone

from amazon_accounts.amazon_ads.client import AmazonClient
from amazon_accounts.sandbox.state import Sandbox
from tests.sandbox_fixtures import SandboxServer, SandboxTransport
from tests.teams import team_of
from tokens.models import Connection

ConnectionFactory = Callable[..., Connection]


@pytest.fixture(autouse=True)
def quick_retries(settings: LazySettings) -> None:
    settings.AMAZON_BACKOFF_BASE_SECONDS = 0.01
    settings.AMAZON_BACKOFF_MAX_SECONDS = 0.05
    settings.TOKEN_REFUSAL_CONFIRMATION_SECONDS = 0.05
    settings.TOKEN_REFRESH_POLL_SECONDS = 0.02


@pytest.fixture
def alice(db: None) -> User:
    user = User.objects.create_user("alice", "alice@example.test", "alice-password", is_staff=True)
    team_of(user)
    return user


def new_connection(owner: User, settings: LazySettings, refresh_token: str, **fields: Any) -> Connection:
    """A connection whose token is due, unless the fields say otherwise."""
    now = timezone.now()
    fields.setdefault("team", team_of(owner))
    return Connection.objects.create(
        owner=owner,
        **{
            "label": "Garden shop",
            "client_id": settings.AMAZON_CLIENT_ID,
            "refresh_token": refresh_token,
            "access_token": "Atza|old",
            "expires_at": now + timedelta(minutes=5),
            "next_refresh_at": now - timedelta(minutes=1),
            "last_refreshed_at": now - timedelta(minutes=55),
            **fields,
        },
    )


@pytest.fixture
def connect(alice: User, sandbox: Sandbox, settings: LazySettings) -> ConnectionFactory:
    """connect("bob", label=...): a connection of this login of the sandbox, due for a refresh."""

    def make(login: str = "bob", **fields: Any) -> Connection:
        token = fields.pop("refresh_token", None) or sandbox.refresh_token(login)
        return new_connection(alice, settings, token, **fields)

    return make


@pytest_asyncio.fixture
async def amazon(sandbox_transport: SandboxTransport, transactional_db: None) -> AsyncIterator[AmazonClient]:
    async with AmazonClient(transport=sandbox_transport) as client:
        yield client


@pytest_asyncio.fixture
async def amazon_over_http(
    sandbox_server: SandboxServer, transactional_db: None
) -> AsyncIterator[AmazonClient]:
    async with AmazonClient() as client:
        yield client
