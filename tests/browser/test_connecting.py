"""The main job in a browser: log in, connect a login through consent, see its accounts."""

from playwright.sync_api import Browser, Page, StorageState, expect

from tests.browser.conftest import PATIENCE, connect
from tests.browser.product import Product


def test_it_connects_a_login_through_consent_and_shows_its_accounts(page: Page) -> None:
    email = connect(page, 2)
    expect(page.get_by_text("Connected. Looking for accounts in 3 regions now")).to_be_visible()
    card = page.locator("[data-item]").filter(has_text=email)
    # The page brings the news by itself.
    expect(card.get_by_text("OK", exact=True)).to_be_visible(timeout=PATIENCE)
    expect(card.locator("time").last).to_have_text("just now")
    card.get_by_role("link", name="accounts").click()
    page.wait_for_url("**/accounts/?connection=*")
    number = int(page.locator("#list").get_attribute("data-total") or 0)
    assert number > 0
    expect(page.locator("[data-item]")).to_have_count(min(number, 50))
    page.locator("[data-item] a").first.click()
    expect(page.get_by_role("heading", name="Marketplaces")).to_be_visible()


def test_a_renewal_goes_on_to_amazon_at_once_and_keeps_the_label(page: Page) -> None:
    page.goto("/connections/")
    card = page.locator("[data-item]").first
    label = card.locator("a.c-name").inner_text()
    card.get_by_role("button", name="Renew").click()
    expect(page.get_by_text("asks for access to your Amazon account")).to_be_visible()
    page.get_by_role("button", name="Cancel").click()
    page.wait_for_url("**/connections/")
    expect(page.locator("[data-item]").first.locator("a.c-name")).to_have_text(label)


def test_the_label_is_changed_in_a_dialog(page: Page) -> None:
    page.goto("/connections/")
    page.locator("[data-item] a.c-name").first.click()
    page.locator("#more > summary").click()
    page.get_by_role("link", name="Change", exact=True).click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Far East").uncheck()
    dialog.get_by_label("Label", exact=True).fill("")
    dialog.get_by_role("button", name="Save").click()
    expect(dialog.get_by_label("Label", exact=True)).to_be_visible()
    dialog.get_by_label("Label", exact=True).fill("Ärmelkanal")
    dialog.get_by_role("button", name="Save").click()
    expect(page.get_by_role("heading", name="Ärmelkanal").first).to_be_visible()
    expect(page.get_by_text("North America, Europe", exact=True)).to_be_visible()


def test_it_works_without_script(browser: Browser, product: Product, session: StorageState) -> None:
    context = browser.new_context(base_url=product.url, storage_state=session, java_script_enabled=False)
    page = context.new_page()
    page.goto("/connect/amazon/")
    page.get_by_role("button", name="Go on to Amazon").click()
    expect(page.get_by_text("asks for access to your Amazon account")).to_be_visible()
    context.close()


def test_it_says_that_nothing_was_connected_after_a_cancelled_consent(page: Page) -> None:
    page.goto("/connections/")
    before = page.locator("[data-item]").count()
    connect(page, 3, "Cancel")
    expect(page.get_by_text("Nothing was connected")).to_be_visible()
    assert page.locator("[data-item]").count() == before
