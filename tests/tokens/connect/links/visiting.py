"""A client's browser with a link: it opens the page, goes to Amazon's consent page, and comes back."""

import re
from html import unescape
from typing import Any, cast
from urllib.parse import urlsplit

from django.contrib.auth.models import User
from django.test import Client

from amazon_accounts.sandbox.state import Sandbox
from tests.public_url import browser_at_public_url
from tests.teams import team_of
from tokens.connect.links import make_connect_link
from tokens.models import Connection, ConnectLink, Team
from tokens.permissions import System


def new_link(
    maker: User | System, connection: Connection | None = None, team: Team | None = None, **fields: Any
) -> tuple[ConnectLink, str]:
    """Return a link and the path of its page."""
    link, address = make_connect_link(
        maker,
        team or team_of(cast("User", maker)),
        connection=connection,
        **{"label": "Copperleaf", **fields},
    )
    assert address is not None
    return link, urlsplit(address).path


def read(response: Any) -> str:
    """Return the text of a page, without its tags."""
    return " ".join(unescape(re.sub("<[^>]+>", "", response.content.decode())).split())


def start(browser: Client, path: str) -> str:
    """Press the button; return the address of Amazon's page."""
    response = browser.post(path)
    assert response.status_code == 200, response.status_code
    found = re.search(r'content="0;url=([^"]+)"', response.content.decode())
    assert found is not None
    return unescape(found[1])


def come_back(browser: Client, address: str) -> Any:
    parts = urlsplit(address)
    return browser.get(f"{parts.path}?{parts.query}")


def visit(
    path: str, sandbox: Sandbox, login: str = "bob", decision: str = "allow", browser: Client | None = None
) -> Client:
    """Go the whole way with this login; return the browser."""
    browser = browser or browser_at_public_url()
    response = come_back(browser, sandbox.consent(start(browser, path), login, decision))
    assert (response.status_code, response["Location"]) == (303, path)
    return browser
