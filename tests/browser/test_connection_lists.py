"""The lists of connections in a browser, with as many logins as a house has."""

import pytest
from playwright.sync_api import Page, expect

from tests.browser.product import Product
from tests.browser.test_console import FULLY_VISIBLE

# Paused, and with a token for long, so that no worker touches them.
MAKE = """
from datetime import timedelta
from django.utils import timezone
from tokens.models import Connection
known = Connection.objects.order_by("created_at").first()
now = timezone.now()
for n in range(30):
    fields = {
        "owner": known.owner, "label": f"Shop {n:02}", "paused": True, "amazon_user_email": f"ads{n}@shop.example",
        "access_token": "Atza|x", "refresh_token": "Atzr|x", "expires_at": now + timedelta(days=9),
        "last_refreshed_at": now, "last_synced_at": now - timedelta(minutes=n), "labels": {"client": "acme"},
        "consented_at": now - timedelta(days=360 - 11 * n),
    }
    key = {"team": known.team, "client_id": known.client_id, "amazon_user_id": f"amzn1.account.SHOP{n}"}
    Connection.objects.get_or_create(**key, defaults=fields)
"""


@pytest.fixture(scope="module")
def house(connected: Product) -> None:
    connected.manage("shell", "-c", MAKE)


@pytest.mark.usefixtures("house")
@pytest.mark.parametrize(
    ("address", "width", "height", "rows"),
    [
        ("/connections/", 1440, 900, 15),
        ("/connections/", 390, 844, 4),
        ("/renewals/", 1440, 900, 12),
        ("/renewals/", 390, 844, 4),
    ],
)
def test_many_connections_are_fully_visible(
    page: Page, address: str, width: int, height: int, rows: int
) -> None:
    page.set_viewport_size({"width": width, "height": height})
    page.goto(address)
    assert page.evaluate(FULLY_VISIBLE) >= rows
    assert page.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.usefixtures("house")
def test_columns_stay_where_they_are_when_the_list_is_filtered(page: Page) -> None:
    page.goto("/connections/")

    def columns() -> list[float]:
        boxes = [each.bounding_box() for each in page.locator("thead th").all()]
        return [box["x"] for box in boxes if box]

    before = columns()
    page.locator("#tab-paused-true").click()
    expect(page.locator("#tab-paused-true")).to_have_attribute("aria-current", "true")
    assert columns() == before


@pytest.mark.usefixtures("house")
def test_rows_are_reached_chosen_and_opened_by_keys(page: Page) -> None:
    page.goto("/connections/?search=Shop")
    page.locator("body").press("j")
    expect(page.locator("[data-item] a.c-name").first).to_be_focused()
    page.keyboard.press("j")
    page.keyboard.press("k")
    page.keyboard.press("x")
    expect(page.locator("#bulk [data-count]")).to_have_text("1 selected")
    page.keyboard.press("j")
    page.keyboard.press("Shift+X")
    expect(page.locator("#bulk [data-count]")).to_have_text("2 selected")
    page.keyboard.press("Enter")
    page.wait_for_url("**/connections/*-*/")
    page.keyboard.press("Escape")
    page.wait_for_url("**/connections/?search=Shop")
    expect(page.locator("[data-item] a.c-name").nth(1)).to_be_focused()


@pytest.mark.usefixtures("house")
def test_a_heading_sorts_and_sorts_the_other_way_round(page: Page) -> None:
    page.goto("/connections/?search=Shop")
    page.locator("#sort-sync").click()
    expect(page.locator("th[aria-sort=descending]")).to_have_text("Last sync ↓")
    expect(page.locator("[data-item] a.c-name").first).to_have_text("Shop 00")
    page.locator("#sort-sync").click()
    expect(page.locator("[data-item] a.c-name").first).to_have_text("Shop 29")
    expect(page.locator("th[aria-sort=ascending]")).to_have_count(1)


@pytest.mark.usefixtures("house")
def test_what_is_often_done_shows_under_the_pointer_and_comes_back(page: Page) -> None:
    page.goto("/connections/?paused=false")
    row = page.locator("[data-item]").first
    before = row.bounding_box()
    row.hover()
    assert row.bounding_box() == before
    row.get_by_role("button", name="Sync").click()
    expect(page.get_by_text("is on its way")).to_be_visible()
    assert page.url.endswith("/connections/?paused=false")


def test_letters_on_the_page_of_an_account_sync_label_and_note(page: Page) -> None:
    page.goto("/accounts/?ordering=name")
    page.locator("[data-item] a.c-name").first.click()
    expect(page.get_by_role("heading", name="Marketplaces")).to_be_visible()
    page.locator("body").press("n")
    expect(page.locator("#note-text")).to_be_focused()
    page.locator("#note-text").blur()
    page.keyboard.press("l")
    expect(page.locator("#label-field")).to_be_focused()
    page.locator("#label-field").blur()
    page.keyboard.press("?")
    expect(page.get_by_role("dialog")).to_contain_text("Write a note")
    page.keyboard.press("Escape")
    page.keyboard.press("s")
    expect(page.get_by_role("dialog")).to_contain_text("Sync 1 account")


def test_an_id_is_copied_and_a_connection_renamed_in_place(page: Page) -> None:
    page.goto("/connections/?paused=false")
    page.locator("[data-item] a.c-name").first.click()
    page.get_by_role("button", name="Copy the id").click()
    expect(page.get_by_text("Copied.")).to_be_visible()
    page.locator("#note-text").focus()
    page.keyboard.press("Control+V")
    expect(page.locator("#note-text")).to_have_value(page.locator("#our-id").inner_text())
    page.locator("#rename > summary").click()
    page.get_by_label("New label").fill("Kattegat")
    page.locator("#rename").get_by_role("button", name="Save").click()
    expect(page.get_by_role("heading", name="Kattegat").first).to_be_visible()


@pytest.mark.parametrize("view", ["table", "cards"])
def test_what_is_often_done_with_an_account_shows_under_the_pointer(page: Page, view: str) -> None:
    page.goto(f"/accounts/?view={view}&status=active")
    row = page.locator("[data-item]").first
    before = row.bounding_box()
    expect(row.locator(".c-quick")).to_have_css("opacity", "0")
    row.hover()
    expect(row.locator(".c-quick")).to_have_css("opacity", "1")
    assert row.bounding_box() == before
    row.get_by_role("button", name="Labels").click()
    expect(page.get_by_role("dialog")).to_contain_text("Update 1 account")
    page.keyboard.press("Escape")
    row.hover()
    row.get_by_role("button", name="Sync").click()
    expect(page.get_by_role("dialog")).to_contain_text("Sync 1 account")
