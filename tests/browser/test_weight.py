"""What a browser transfers for a page, counted as the network sees it: compressed, with headers."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, StorageState

from tests.browser.product import Product

KB = 1000
FIRST_VIEW = 700 * KB
# HTML, styles and scripts of a first view.
FIRST_TEXT = 200 * KB
WARM_VIEW = 30 * KB
PAGES = [
    "/",
    "/accounts/",
    "/accounts/?view=table",
    "/connections/",
    "/renewals/",
    "/activity/",
    "/operations/",
]


@pytest.fixture(params=["light", "dark"])
def context(
    request: pytest.FixtureRequest, browser: Browser, connected: Product, session: StorageState
) -> Iterator[BrowserContext]:
    """A browser that has visited nothing yet."""
    context = browser.new_context(
        base_url=connected.url, storage_state=session, color_scheme=request.param,
        viewport={"width": 1440, "height": 900},
    )  # fmt: skip
    yield context
    context.close()


def transferred(page: Page, address: str) -> Counter[str]:
    """Open the page; return the bytes that came, by what they were for."""
    kinds: dict[str, str] = {}
    bytes_of: Counter[str] = Counter()

    def begin(event: dict[str, Any]) -> None:
        kinds[event["requestId"]] = event["type"]

    def end(event: dict[str, Any]) -> None:
        bytes_of[kinds.get(event["requestId"], "Other")] += event["encodedDataLength"]

    network = page.context.new_cdp_session(page)
    network.on("Network.responseReceived", begin)
    network.on("Network.loadingFinished", end)
    network.send("Network.enable")
    page.goto(address)
    page.wait_for_load_state("networkidle")
    network.detach()
    return bytes_of


@pytest.mark.parametrize("address", PAGES)
def test_a_first_view_and_a_second_one_weigh_little(context: BrowserContext, address: str) -> None:
    page = context.new_page()
    first, second = transferred(page, address), transferred(page, address)
    print(f"{address} first {first.total():,} {dict(first)}, second {second.total():,}")
    assert first.total() <= FIRST_VIEW
    assert first["Document"] + first["Stylesheet"] + first["Script"] <= FIRST_TEXT
    # Nothing was cached before.
    assert first["Font"] > 0
    assert second.total() <= WARM_VIEW


def test_the_admin_and_the_description_of_the_api_weigh_little(context: BrowserContext) -> None:
    for address in ("/admin/accounts/account/", "/api/v1/docs/"):
        first = transferred(context.new_page(), address)
        print(f"{address} first {first.total():,} {dict(first)}")
        assert first.total() <= FIRST_VIEW


def test_a_page_has_two_weights_of_its_font(context: BrowserContext) -> None:
    page = context.new_page()
    page.goto("/connections/")
    page.wait_for_load_state("networkidle")
    fonts = page.evaluate(
        "performance.getEntriesByType('resource').map(one => one.name).filter(name => name.endsWith('.woff2'))"
    )
    names = {name.rsplit("/", 1)[1].split(".")[0] for name in fonts}
    assert names == {"Inter-Regular", "Inter-Medium", "Material-Symbols-Outlined"}
