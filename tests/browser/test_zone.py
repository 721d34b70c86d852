"""The server learns the browser's zone."""

import pytest
from playwright.sync_api import Browser, StorageState, expect

from tests.browser.conftest import Watch
from tests.browser.product import Product


@pytest.mark.usefixtures("connected")
def test_after_the_first_page_the_admins_times_are_in_the_browsers_zone(
    browser: Browser, product: Product, session: StorageState, watch: Watch
) -> None:
    cookies = [cookie for cookie in session["cookies"] if cookie["name"] != "zone"]
    context = browser.new_context(
        base_url=product.url,
        storage_state={"cookies": cookies, "origins": session["origins"]},
        timezone_id="Asia/Tokyo",
    )
    watch.over(context)
    page = context.new_page()
    page.goto("/admin/accounts/syncrun/")
    expect(page.locator("#result_list")).to_contain_text("UTC")
    page.reload()
    expect(page.locator("#result_list")).to_contain_text("JST")
    context.close()
