"""The main job in a browser: log in, connect a login through consent, see its accounts."""

from playwright.sync_api import Page, expect

from tests.browser.conftest import PATIENCE, connect


def test_it_connects_a_login_through_consent_and_shows_its_accounts(page: Page) -> None:
    email = connect(page, 2)
    expect(page.get_by_text("Connected. Looking for accounts in 3 regions now")).to_be_visible()
    card = page.get_by_role("article").filter(has_text=email)
    expect(card.get_by_text("Active")).to_be_visible()
    # The page brings the news by itself.
    expect(card.get_by_text("Synced just now")).to_be_visible(timeout=PATIENCE)
    card.get_by_role("link", name="accounts").click()
    page.wait_for_url("**/accounts/?connection=*")
    number = int(page.locator("#list").get_attribute("data-total") or 0)
    assert number > 0
    expect(page.locator("[data-item]")).to_have_count(min(number, 24))
    page.locator("[data-item] a").first.click()
    expect(page.get_by_role("heading", name="Profiles")).to_be_visible()


def test_it_says_that_nothing_was_connected_after_a_cancelled_consent(page: Page) -> None:
    page.goto("/connections/")
    before = page.get_by_role("article").count()
    connect(page, 3, "Cancel")
    expect(page.get_by_text("Nothing was connected")).to_be_visible()
    assert page.get_by_role("article").count() == before
