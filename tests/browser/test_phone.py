"""The admin's lists on a phone."""

import pytest
from playwright.sync_api import Browser, StorageState, expect

from tests.browser.conftest import Watch
from tests.browser.product import Product

# What a cell hides: its value is wider or higher than the cell, or its label (drawn before it) has too little room.
CUT = """() => [...document.querySelectorAll("#result_list [data-label]")].filter((cell) => {
  const label = document.createElement("span");
  label.textContent = cell.dataset.label;
  label.style = "position: absolute; white-space: nowrap; font-weight: 600; text-transform: capitalize";
  cell.append(label);
  const needed = label.getBoundingClientRect().width;
  label.remove();
  const given = parseFloat(getComputedStyle(cell, "::before").width);
  return given + 1 < needed || cell.scrollWidth > cell.clientWidth + 1 || cell.scrollHeight > cell.clientHeight + 1;
}).map((cell) => cell.dataset.label)"""


@pytest.mark.usefixtures("connected")
@pytest.mark.parametrize("width", [360, 390])
def test_the_accounts_of_the_admin_are_read_in_full(
    browser: Browser, product: Product, session: StorageState, watch: Watch, width: int
) -> None:
    context = browser.new_context(
        base_url=product.url, storage_state=session, viewport={"width": width, "height": 800}
    )
    watch.over(context)
    page = context.new_page()
    page.goto("/admin/accounts/account/")
    expect(page.locator("#result_list tbody").first).to_be_visible()
    assert page.evaluate(CUT) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    context.close()
