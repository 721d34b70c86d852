"""A client link from the page of an operator to the thanks of the client, in two browsers."""

import re
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page, Request, expect

from tests.browser.conftest import PATIENCE, Watch
from tests.browser.product import Product
from tests.browser.test_accessibility import violations


@pytest.fixture
def client(browser: Browser, connected: Product, watch: Watch) -> Page:
    """The browser of a German client, on a phone."""
    context = browser.new_context(locale="de-DE", viewport={"width": 390, "height": 844})
    watch.over(context)
    return context.new_page()


def look_at(page: Page) -> None:
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
        assert violations(page) == []
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_a_client_renews_a_login_of_the_team_and_nothing_names_the_link(page: Page, client: Page) -> None:
    page.goto("/links/")
    page.get_by_label("For whom").fill("Copperleaf")
    page.get_by_role("button", name="Make the link").click()
    address = page.get_by_label("Link", exact=True).input_value()
    assert violations(page) == []
    path = urlsplit(address).path
    referrers: list[str] = []

    def note(request: Request) -> None:
        referrers.append(request.headers.get("referer", ""))

    client.on("request", note)
    client.goto(address)
    expect(client.get_by_role("heading", name="Ihr Amazon-Ads-Konto verbinden")).to_be_visible()
    assert path.strip("/") not in client.title()
    look_at(client)
    client.get_by_role("button", name="Weiter zu Amazon").click()
    client.get_by_role("radio").first.check()
    client.get_by_role("button", name="Allow").click()
    # So this test leaves no connection that the others do not expect.
    expect(client.get_by_role("heading", name=re.compile("Copperleaf .* erneuert"))).to_be_visible()
    assert urlsplit(client.url).path == path
    # The page opens itself again until the accounts are found.
    expect(client.get_by_text(re.compile(r"^\s*\d+ gefunden"))).to_be_visible(timeout=PATIENCE)
    look_at(client)
    assert not [each for each in referrers if "/c/" in each]
    client.goto("/".join(address.split("/")[:3]) + "/accounts/")
    assert urlsplit(client.url).path == "/auth/login/"
    page.goto("/links/")
    expect(page.get_by_role("link", name="renewed")).to_be_visible()
