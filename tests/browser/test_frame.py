"""Every page opens under the policy without eval, and the controls of unfold do what they say.

The fixtures fail on whatever the console says: a refused expression, a violation of the policy, a missing file.
"""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, StorageState, expect

from tests.browser.conftest import PATIENCE, Watch, log_in
from tests.browser.product import Product

SIGN_IN_PAGES = [
    "security/",
    "password/change/",
    "2fa/",
    "2fa/totp/activate/",
    "2fa/webauthn/",
    "2fa/webauthn/add/",
    "2fa/recovery-codes/generate/",
    "sessions/",
    "logout/",
]
STRANGERS_PAGES = [
    "login/",
    "password/reset/",
    "password/reset/done/",
    "password/reset/key/a-b/",
    "inactive/",
]
DARK = re.compile(r"\bdark\b")

pytestmark = pytest.mark.usefixtures("connected")


@pytest.fixture
def phone(browser: Browser, product: Product, session: StorageState, watch: Watch) -> Iterator[Page]:
    context = browser.new_context(
        base_url=product.url, storage_state=session, viewport={"width": 390, "height": 844}
    )
    watch.over(context)
    yield context.new_page()
    context.close()


def addresses(page: Page, selector: str) -> list[str]:
    found: list[str] = page.locator(selector).evaluate_all("links => links.map((link) => link.pathname)")
    return list(dict.fromkeys(found))


def test_every_page_of_the_admin_opens(page: Page) -> None:
    page.goto("/admin/")
    lists = addresses(page, "#content a[href^='/admin/']")
    assert len(lists) > 25
    for address in lists:
        page.goto(address)
        for row in addresses(page, "#result_list tbody th a")[:1]:
            page.goto(row)
            for form in addresses(page, "#content a[href$='/delete/'], #content a[href$='/password/']"):
                page.goto(form)


def test_every_page_of_the_sign_in_opens(page: Page, product: Product) -> None:
    # Some of the pages ask for the password again, unless the login is new.
    page.context.clear_cookies()
    log_in(page, product, "/auth/security/")
    for address in SIGN_IN_PAGES:
        page.goto(f"/auth/{address}")
    page.context.clear_cookies()
    for address in STRANGERS_PAGES:
        page.goto(f"/auth/{address}")


def test_the_theme_is_switched_in_the_menu_and_by_a_key(page: Page) -> None:
    page.goto("/")
    html, menu = page.locator("html"), page.locator("#nav-sidebar")
    for name, is_dark in (("Dark", True), ("Light", False), ("Dark", True), ("System", False)):
        menu.get_by_role("button", name="admin").click()
        menu.get_by_role("button", name=name, exact=True).click()
        if is_dark:
            expect(html).to_have_class(DARK)
        else:
            expect(html).not_to_have_class(DARK)
        page.locator("h1").first.click()
        expect(menu.get_by_text("Log out")).to_be_hidden()
    page.keyboard.press("Control+e")
    page.keyboard.press("Control+e")
    page.reload()
    expect(html).to_have_class(DARK)


def test_a_hidden_menu_stays_hidden_on_the_next_page(page: Page) -> None:
    page.goto("/")
    menu = page.locator("#nav-sidebar")
    page.get_by_role("button", name="Show or hide the menu").click()
    expect(menu).to_be_hidden()
    page.goto("/accounts/")
    expect(menu).to_be_hidden()
    page.get_by_role("button", name="Show or hide the menu").click()
    expect(menu).to_be_visible()
    page.reload()
    expect(menu).to_be_visible()


def test_the_menu_of_a_phone_opens_and_closes(phone: Page) -> None:
    phone.goto("/")
    menu = phone.locator("#nav-sidebar")
    expect(menu).to_be_hidden()
    phone.get_by_role("button", name="Menu", exact=True).click()
    expect(menu).to_be_visible()
    phone.get_by_role("button", name="Menu", exact=True).first.click()
    expect(menu).to_be_hidden()


def test_the_command_search_is_led_by_keys(page: Page) -> None:
    page.goto("/connections/")
    name = page.locator("[data-item] a.c-name").first.inner_text()
    search = page.locator("#search-input-command")
    page.get_by_text("Accounts, logins…").click()
    expect(search).to_be_focused()
    search.press("Escape")
    expect(search).to_be_hidden()
    # The keys mean nothing while a field has the focus, and a field that was hidden loses it a moment later.
    page.wait_for_function("document.activeElement.tagName !== 'INPUT'")
    page.keyboard.press("Control+k")
    expect(search).to_be_focused()
    search.press_sequentially(name[:8])
    results = page.locator("#command-results-list li")
    expect(results.first).to_be_visible(timeout=PATIENCE)
    results.last.hover()
    expect(results.last).to_have_class(re.compile("active"))
    search.press("Enter")
    page.wait_for_url(re.compile("/(connections|accounts)/[0-9a-f-]{36}/"))


def test_filters_of_a_list_open_close_and_filter_by_date(page: Page) -> None:
    page.goto("/admin/tokens/tokenrefresh/")
    sheet = page.locator("#changelist-filter")
    page.keyboard.press("/")
    expect(page.locator("#searchbar")).to_be_focused()
    page.get_by_text("Filters", exact=False).first.click()
    expect(sheet).to_be_visible()
    page.keyboard.press("Escape")
    expect(sheet).to_be_hidden()
    page.get_by_text("Filters", exact=False).first.click()
    # Until the sheet is open, the click would open the page of the menu that it covers.
    expect(sheet).to_be_visible()
    page.mouse.click(20, 450)
    expect(sheet).to_be_hidden()
    page.get_by_text("Filters", exact=False).first.click()
    sheet.locator(".date-icon").first.click()
    page.locator(".calendarbox:visible td a").first.click()
    sheet.get_by_role("button", name="Apply").click()
    page.wait_for_url("**started_at_from_0=2*")


def test_an_action_is_run_once_it_is_chosen(page: Page) -> None:
    page.goto("/admin/accounts/account/")
    page.locator("#result_list input.action-select").first.check()
    run = page.get_by_role("button", name="Run")
    expect(run).to_be_hidden()
    page.locator("select[name=action]").select_option("disconnect")
    run.click()
    expect(page.get_by_role("heading", name="Disconnect 1 account?")).to_be_visible()


def test_the_form_of_a_user_sets_times(page: Page) -> None:
    page.goto("/admin/auth/user/")
    page.locator("#result_list tbody th a").first.click()
    page.locator(".date-icon").first.click()
    page.locator(".calendarbox:visible td a").first.click()
    page.locator(".clock-icon").first.click()
    page.locator(".clockbox:visible ul a").first.click()
    expect(page.locator("#id_last_login_1")).not_to_have_value("")
