import pytest
from django.contrib.auth.models import User
from django.test import Client

from amazon_accounts.sandbox.state import Sandbox
from tests.public_url import browser_at_public_url
from tests.sandbox_fixtures import SandboxServer
from tests.teams import set_role
from tokens.people.roles import Role


@pytest.fixture
def sandbox(sandbox_server: SandboxServer) -> Sandbox:
    """Over HTTP, because the view creates its own client."""
    return sandbox_server.sandbox


@pytest.fixture
def mara(alice: User) -> User:
    """An operator, who makes links."""
    mara = set_role(alice, Role.OPERATOR)
    mara.first_name, mara.last_name = "Mara", "Reuter"
    mara.save()
    return mara


@pytest.fixture
def browser() -> Client:
    """The browser of a client, who has no login here."""
    return browser_at_public_url()
