import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client

from amazon_accounts.sandbox.state import Sandbox
from tests.sandbox_fixtures import SandboxServer
from tests.tokens.connect.oauth.browsing import log_in


@pytest.fixture
def sandbox(sandbox_server: SandboxServer) -> Sandbox:
    """Over HTTP, because the view creates its own client."""
    return sandbox_server.sandbox


@pytest.fixture
def browser(alice: User) -> Client:
    for codename in ("connect_amazon", "view_connection"):
        alice.user_permissions.add(Permission.objects.get(codename=codename))
    return log_in(alice)
