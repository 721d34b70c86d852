"""The page of the API's description works under our content security policy and loads nothing from other hosts."""

from playwright.sync_api import Page, expect


def test_it_shows_every_operation_and_tries_one(page: Page) -> None:
    page.goto("/api/v1/docs/")
    expect(page.get_by_role("heading", name="Amazon Accounts")).to_be_visible()
    expect(page.locator(".opblock")).to_have_count(60)
    health = page.locator("#operations-accounts-get_health")
    health.click()
    health.get_by_role("button", name="Try it out").click()
    health.get_by_role("button", name="Execute").click()
    expect(health.locator(".live-responses-table td.response-col_status").last).to_contain_text("200")
