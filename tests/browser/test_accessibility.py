"""axe finds nothing on any page: light and dark, wide and narrow, with dialogs and menus open."""

import re
from collections.abc import Iterator
from uuid import uuid4

import pytest
from axe_playwright_python.base import AXE_FILE_PATH
from playwright.sync_api import Browser, Page, StorageState, expect

from tests.browser.conftest import PATIENCE, Watch
from tests.browser.product import Product

AXE = AXE_FILE_PATH.read_text()
# WCAG 2.0 to 2.2, levels A and AA, and what axe calls good practice.
TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
OUR_PAGES = [
    "/",
    "/accounts/?view=cards",
    "/accounts/?view=table&status=active",
    "/accounts/?search=zzzz",
    "/connections/",
    "/connect/amazon/",
    "/operations/",
    "/renewals/",
    "/renewals/dates/",
    "/activity/",
    "/keys/",
    "/nowhere/",
]
ADMIN_PAGES = ["/admin/accounts/account/", "/admin/tokens/tokenrefresh/", "/admin/"]


def violations(page: Page) -> list[str]:
    # The frame's late controls get their names then.
    page.wait_for_timeout(250)
    page.evaluate(AXE)
    found = page.evaluate(f"axe.run({{runOnly: {TAGS}}})")["violations"]
    return [
        f"{page.url} {rule['id']}: {node['html'][:160]} {node.get('failureSummary', '')[:160]}"
        for rule in found
        for node in rule["nodes"]
    ]


@pytest.fixture(scope="module", params=[("light", 1440), ("dark", 360)], ids=str)
def look(request: pytest.FixtureRequest) -> tuple[str, int]:
    theme, width = request.param
    return str(theme), int(width)


@pytest.fixture
def page(
    browser: Browser, connected: Product, session: StorageState, watch: Watch, look: tuple[str, int]
) -> Iterator[Page]:
    theme, width = look
    context = browser.new_context(
        base_url=connected.url, storage_state=session, viewport={"width": width, "height": 900},
        color_scheme="dark" if theme == "dark" else "light",
    )  # fmt: skip
    watch.over(context)
    # What axe and the page past the end answer is expected.
    watch.expected.append(re.compile("404"))
    yield context.new_page()
    context.close()


def test_no_page_of_ours_has_a_violation(page: Page) -> None:
    found = []
    for address in OUR_PAGES:
        page.goto(address)
        found += violations(page)
    for address, link in (("/accounts/", "[data-item] a.c-name"), ("/connections/", "[data-item] a.c-name")):
        page.goto(address)
        page.locator(link).first.click()
        page.wait_for_load_state()
        found += violations(page)
    assert found == []


def test_nothing_that_opens_has_a_violation(page: Page) -> None:
    page.goto("/accounts/?view=table")
    page.locator("#filter > summary").click()
    found = violations(page)
    page.locator("#filter-country").click()
    expect(page.locator("#filter-title")).to_be_visible()
    found += violations(page)
    page.keyboard.press("Escape")
    page.locator("#group > summary").click()
    found += violations(page)
    page.get_by_role("link", name="Marketplace").click()
    expect(page.locator("#group-1")).to_be_visible()
    found += violations(page)
    page.goto("/accounts/?view=table")
    page.locator("#display > summary").click()
    found += violations(page)
    page.keyboard.press("Escape")
    page.locator("#select-page").check()
    found += violations(page)
    page.locator("[data-select-none]").click()
    page.locator("[data-select]").first.check()
    page.locator("#bulk").get_by_role("button", name="Labels").click()
    expect(page.get_by_role("dialog")).to_be_visible()
    page.get_by_role("dialog").get_by_role("button", name="Update 1 account").click()
    expect(page.get_by_role("alert")).to_be_visible()
    found += violations(page)
    page.get_by_role("dialog").get_by_label("Set labels").fill(f"by: {uuid4().hex[:5]}")
    page.get_by_role("dialog").get_by_role("button", name="Update 1 account").click()
    undo = page.locator(".c-toast").get_by_role("button", name="Undo")
    expect(undo).to_be_visible(timeout=PATIENCE)
    found += violations(page)
    page.keyboard.press("Control+k")
    page.locator("#search-input-command").press_sequentially("acc")
    expect(page.locator("#command-results-list li").first).to_be_visible()
    found += violations(page)
    page.keyboard.press("Escape")
    page.keyboard.press("Escape")
    expect(page.locator("#search-input-command")).to_be_hidden()
    if page.get_by_role("button", name="Menu").is_visible():
        page.get_by_role("button", name="Menu").click()
        found += violations(page)
    assert found == []


def test_the_admin_has_no_violation(page: Page) -> None:
    found = []
    for address in ADMIN_PAGES:
        page.goto(address)
        found += violations(page)
    assert found == []


def test_the_login_has_no_violation(page: Page) -> None:
    page.context.clear_cookies()
    page.goto("/auth/login/")
    assert violations(page) == []
