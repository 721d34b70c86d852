import pytest
from django.contrib.auth.models import User
from django.test import Client

from amazon_accounts.sandbox.state import Sandbox
from tests.sandbox_fixtures import SandboxServer
from tests.teams import set_role
from tests.tokens.connect.oauth.browsing import log_in
from tokens.people.roles import Role


@pytest.fixture
def sandbox(sandbox_server: SandboxServer) -> Sandbox:
    """Over HTTP, because the view creates its own client."""
    return sandbox_server.sandbox


@pytest.fixture
def browser(alice: User) -> Client:
    return log_in(set_role(alice, Role.OPERATOR))
