"""A real Chromium against the running product. Any console error, CSP violation or request to another host fails."""

import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, StorageState, expect, sync_playwright

from tests.browser.product import Product, running_product

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
# Chromium runs as root in a container, and must not look up hosts by itself.
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
PATIENCE = 60_000  # milliseconds: a sync of the demo's largest login on a busy machine


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep the browser tests in one process of xdist, because they share one running product."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.browser)
            item.add_marker(pytest.mark.xdist_group("browser"))
            # The first one starts the product and connects two logins.
            item.add_marker(pytest.mark.timeout(300))


def chromium() -> str:
    """Return the path of the system's Chromium; without one skip, or fail where CI must have it."""
    found = next(filter(None, map(shutil.which, NAMES)), None)
    if found:
        return found
    reason = f"No Chromium here (looked for {', '.join(NAMES)}): install the package chromium."
    if os.environ.get("CI", "").lower() == "true":
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def product(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    chromium()
    with running_product(tmp_path_factory.mktemp("product") / "var") as product:
        yield product


# A module is the longest scope: while Playwright is open, no other test of this process can run an event loop.
@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=FLAGS)
        yield browser
        browser.close()


class Watch:
    """Collects what a page must not do: console errors and requests to other hosts."""

    def __init__(self, product: Product) -> None:
        self.product = product
        self.errors: list[str] = []
        # Chromium writes a line for each form with a mistake.
        self.expected: list[re.Pattern[str]] = [re.compile(r"responded with a status of 422 ")]

    def over(self, context: BrowserContext) -> None:
        context.on(
            "console", lambda message: self._note_console(message.type, message.text, message.location)
        )
        context.on("weberror", lambda error: self.errors.append(f"error: {error.error}"))
        context.on("request", lambda request: self._note_request(request.url))

    def _note_console(self, kind: str, text: str, location: object) -> None:
        url = location.get("url", "") if isinstance(location, dict) else ""
        if kind in {"error", "warning"} and (not url or url.startswith(self.product.url)):
            self.errors.append(f"{kind}: {text} ({url})")

    def _note_request(self, url: str) -> None:
        host = urlsplit(url).hostname
        if host not in {"localhost", "127.0.0.1", None}:
            self.errors.append(f"request to another host: {url}")

    def settle(self) -> None:
        unexpected = [text for text in self.errors if not any(known.search(text) for known in self.expected)]
        assert unexpected == []


@pytest.fixture
def watch(product: Product) -> Iterator[Watch]:
    watch = Watch(product)
    yield watch
    watch.settle()


@pytest.fixture(scope="module")
def session(browser: Browser, product: Product) -> StorageState:
    """The cookies of a logged-in person."""
    context = browser.new_context(base_url=product.url)
    log_in(context.new_page(), product)
    state = context.storage_state()
    context.close()
    return state


@pytest.fixture
def page(browser: Browser, product: Product, session: StorageState, watch: Watch) -> Iterator[Page]:
    """An empty page of a logged-in person."""
    context = browser.new_context(
        base_url=product.url, storage_state=session, viewport={"width": 1440, "height": 900}
    )
    watch.over(context)
    yield context.new_page()
    context.close()


def log_in(page: Page, product: Product, then: str = "/", user_name: str = "") -> None:
    page.goto(f"{product.url}/auth/login/?next={then}")
    page.get_by_label("Username").fill(user_name or product.user_name)
    page.get_by_label("Password").fill(product.password)
    page.get_by_role("button", name="Log in", exact=True).click()
    page.wait_for_url(f"**{then}")


def connect(page: Page, number: int, decision: str = "Allow") -> str:
    """Go to Amazon's consent page, choose a login by its number, decide; return the login's e-mail."""
    page.goto("/connections/")
    page.get_by_role("link", name="Connect Amazon").first.click()
    page.get_by_role("button", name="Go on to Amazon").click()
    expect(page.get_by_text("asks for access to your Amazon account")).to_be_visible()
    choice = page.get_by_role("radio").nth(number)
    choice.check()
    email = choice.locator("xpath=..").locator("bdi").nth(1).inner_text()
    page.get_by_role("button", name=decision).click()
    page.wait_for_url("**/connections/")
    return email


@pytest.fixture(scope="session")
def connected(product: Product) -> Product:
    """The product with the demo's first two logins connected and synced."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=FLAGS)
        page = browser.new_page(base_url=product.url)
        log_in(page, product)
        for number in (0, 1):
            connect(page, number)
        page.goto("/connections/")
        expect(page.locator("[data-item]").get_by_text("OK", exact=True)).to_have_count(2, timeout=PATIENCE)
        browser.close()
    return product
