"""Fixtures: an owner, connections of the sandbox's logins, and syncs in the process of the test."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
import pytest_asyncio
from django.conf import LazySettings
from django.contrib.auth.models import User

from accounts.models import SyncRun
from accounts.sync.requests import request_sync
from accounts.sync.run import sync_connection
from amazon_accounts.amazon_ads.client import AmazonClient
from amazon_accounts.postgresql.threads import in_thread
from amazon_accounts.sandbox.state import Sandbox
from tests.sandbox_fixtures import SandboxTransport
from tests.teams import team_of
from tokens.models import Connection
from tokens.permissions import SYSTEM

ConnectionFactory = Callable[..., Connection]
Sync = Callable[..., Awaitable[SyncRun]]


@pytest.fixture(autouse=True)
def quick_amazon(settings: LazySettings) -> None:
    # No pause before a call is repeated, and a pace that no test reaches.
    settings.AMAZON_BACKOFF_BASE_SECONDS = 0.001
    settings.AMAZON_BACKOFF_MAX_SECONDS = 0.01
    settings.AMAZON_REQUESTS_PER_SECOND = 10_000.0
    settings.AMAZON_MAX_REQUESTS_PER_SECOND = 10_000.0
    settings.AMAZON_BURST = 1000
    settings.LWA_REQUESTS_PER_SECOND = 10_000.0
    settings.TOKEN_REFUSAL_CONFIRMATION_SECONDS = 0.01
    settings.TOKEN_REFRESH_POLL_SECONDS = 0.01


@pytest.fixture
def owner(db: None) -> User:
    user = User.objects.create_user("owner", "owner@example.test", "owner-password", is_staff=True)
    team_of(user)
    return user


@pytest.fixture
def connect(owner: User, sandbox: Sandbox, settings: LazySettings) -> ConnectionFactory:
    """Create connections: `connect("bob")` is a live connection of this login, without an access token."""

    def make(login: str = "alice", **fields: Any) -> Connection:
        responsible = fields.pop("owner", owner)
        return Connection.objects.create(
            owner=responsible,
            **{
                "team": fields.pop("team", None) or team_of(responsible),
                "label": f"Login of {login}",
                "client_id": settings.AMAZON_CLIENT_ID,
                "refresh_token": sandbox.refresh_token(login),
                **fields,
            },
        )

    return make


@pytest_asyncio.fixture
async def amazon(sandbox_transport: SandboxTransport, transactional_db: None) -> AsyncIterator[AmazonClient]:
    async with AmazonClient(transport=sandbox_transport) as client:
        yield client


@pytest.fixture
def sync(amazon: AmazonClient) -> Sync:
    """Sync a connection: `await sync(connection)` returns the run as it ended."""

    async def run(connection: Connection, **options: Any) -> SyncRun:
        requested = await in_thread(request_sync)(SYSTEM, connection, trigger=SyncRun.Trigger.MANUAL)
        return await sync_connection(requested.pk, amazon, **options)

    return run
