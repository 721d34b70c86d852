"""Makes the screenshot of the README from the running product: `python -m tests.browser.screenshot`."""

import sys
import tempfile
from pathlib import Path

from playwright.sync_api import Browser, expect, sync_playwright

from tests.browser.conftest import FLAGS, PATIENCE, chromium, connect, log_in
from tests.browser.product import PROJECT, Product, running_product

SCREENSHOT = PROJECT / "docs" / "screenshot.png"
LOGINS = 3


def main() -> None:
    with (
        tempfile.TemporaryDirectory() as folder,
        running_product(Path(folder) / "var") as product,
        sync_playwright() as playwright,
        playwright.chromium.launch(executable_path=chromium(), args=FLAGS) as browser,
    ):
        take_screenshot(browser, product)
    sys.stdout.write(f"{SCREENSHOT.relative_to(PROJECT)}\n")


def take_screenshot(browser: Browser, product: Product) -> None:
    """Connect some logins of the demo and show their accounts."""
    page = browser.new_page(base_url=product.url, viewport={"width": 1440, "height": 900})
    log_in(page, product)
    for number in range(LOGINS):
        connect(page, number)
    page.goto("/connections/")
    expect(page.locator("[data-item]").get_by_text("OK", exact=True)).to_have_count(LOGINS, timeout=PATIENCE)
    page.goto("/accounts/")
    page.wait_for_load_state("networkidle")
    page.screenshot(path=SCREENSHOT)


if __name__ == "__main__":
    main()
