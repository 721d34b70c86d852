"""A real provider in a process of its own, and people who sign in there."""

import base64
import html
import json
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from django.contrib.auth.models import User
from django.test import Client
from pytest_django import Settings

from tests.dashboard.sign_in.oidc.scripted_provider import ScriptedProvider, scripted_provider
from tests.ports import free_port
from tests.processes import eventually
from tests.public_url import browser_at_public_url

# Seconds, on a busy machine.
PATIENCE = 60
SECRET = "the-secret-of-the-client"
START = "/auth/oidc/login/"
CALLBACK = "/auth/oidc/callback/"
SignOn = Callable[..., Any]


class Provider:
    """The provider, as its own pages and an administrator of it use it."""

    def __init__(self, url: str) -> None:
        self.url = url

    def know(self, subject: str, **claims: object) -> None:
        response = httpx.put(f"{self.url}/users/{subject}", json=claims, timeout=PATIENCE)
        assert response.status_code == 204, response.text

    def decide(self, address: str, subject: str = "", *, denies: bool = False) -> str:
        """Sign in at the page of the provider, or go back; return the path and query of the callback."""
        response = httpx.post(
            address, data={"action": "deny"} if denies else {"sub": subject}, timeout=PATIENCE
        )
        assert response.status_code == 302, response.text
        location = urlsplit(response.headers["Location"])
        return f"{location.path}?{location.query}"


@pytest.fixture(scope="session")
def running_provider() -> Iterator[Provider]:
    port = free_port()
    # In a process of its own: its libraries warn, and warnings fail a test.
    process = subprocess.Popen(
        [sys.executable, "-W", "ignore", "-m", "oidc_provider_mock", "--port", str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    provider = Provider(f"http://127.0.0.1:{port}")
    try:
        eventually(lambda: _answers(provider.url), 60)
        yield provider
    finally:
        process.kill()
        process.wait(timeout=10)


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=PATIENCE).status_code == 200
    except httpx.TransportError:
        return False


@pytest.fixture
def provider(running_provider: Provider, settings: Settings) -> Provider:
    """The provider that this console is configured for."""
    use(settings, running_provider.url)
    return running_provider


@pytest.fixture(scope="session")
def running_script() -> Iterator[ScriptedProvider]:
    with scripted_provider() as scripted:
        yield scripted


@pytest.fixture
def scripted(running_script: ScriptedProvider, settings: Settings) -> ScriptedProvider:
    running_script.reset()
    use(settings, running_script.url)
    return running_script


def use(settings: Settings, url: str) -> None:
    settings.OIDC_SERVER_URL = url
    settings.OIDC_CLIENT_ID = "console"
    settings.OIDC_CLIENT_SECRET = SECRET
    settings.SOCIALACCOUNT_REQUESTS_TIMEOUT = PATIENCE


def address_in(page: Any) -> str:
    """Return the address that a page of ours goes on to by itself."""
    found = re.search(r'<meta http-equiv="refresh" content="0;url=([^"]+)"', page.content.decode())
    assert found, page.content.decode()
    return html.unescape(found.group(1))


def start(client: Client, path: str = START, **form: str) -> str:
    """Press the button; return the address at the provider."""
    page: Any = client.post(path, form)
    assert page.status_code == 200, page.content.decode()
    return address_in(page)


def parameters_of(address: str) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()}


def make_id_token(scripted: ScriptedProvider, nonce: str, changes: dict[str, Any]) -> str:
    good = {
        "iss": scripted.url,
        "aud": "console",
        "sub": "s-1",
        "exp": int(time.time()) + 300,
        "nonce": nonce,
    }
    claims = {name: value for name, value in {**good, **changes}.items() if value != "left out"}
    # PyJWT refuses to write some of what these tests need.
    parts = [{"alg": "HS256", "typ": "JWT"}, claims]
    return (
        ".".join(base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts)
        + ".c2lnbmF0dXJl"
    )


def answer_with(
    scripted: ScriptedProvider,
    client: Client,
    path: str = START,
    *,
    info: Any = None,
    token: Any = None,
    **changes: Any,
) -> Any:
    """Start, and come back to a provider that answers with these claims."""
    asked = parameters_of(start(client, path))
    id_token = make_id_token(scripted, asked["nonce"], changes)
    scripted.say("/token", token or {"access_token": "an-access-token", "id_token": id_token})
    scripted.say("/userinfo", info or {"sub": changes.get("sub", "s-1"), "preferred_username": "nina"})
    return client.get(f"{CALLBACK}?code=a-code&state={asked['state']}")


@pytest.fixture
def sign_on(db: None, provider: Provider) -> SignOn:
    """Sign in at the provider, in a new browser unless a browser is given; return the answer of the callback."""

    def go(subject: str = "s-1", client: Client | None = None, **form: str) -> Any:
        browser = client or browser_at_public_url()
        return browser.get(provider.decide(start(browser, **form), subject))

    return go


def person_at(client: Client) -> User | None:
    """Return who is signed in in a browser."""
    key = client.session.get("_auth_user_id")
    return User.objects.get(pk=key) if key else None
