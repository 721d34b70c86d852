"""What the pages do in a browser: filters, selection, dialogs, keys, progress, an ended session, no script."""

import re
from uuid import uuid4

import pytest
from playwright.sync_api import Browser, Page, StorageState, expect

from tests.browser.conftest import PATIENCE, Watch, log_in
from tests.browser.product import Product

pytestmark = pytest.mark.usefixtures("connected")


@pytest.fixture
def accounts(connected: Product, page: Page) -> Page:
    page.goto("/accounts/")
    expect(page.locator("[data-item]").first).to_be_visible()
    return page


def total(page: Page) -> int:
    return int(page.locator("#list").get_attribute("data-total") or 0)


def bar(page: Page) -> str:
    return page.locator("#bulk [data-count]").inner_text()


def test_chips_search_and_back_keep_the_state_in_the_address(accounts: Page) -> None:
    everything = total(accounts)
    choose_active(accounts)
    assert 0 < total(accounts) < everything
    active = total(accounts)
    accounts.locator("#q").fill("zzzz")
    expect(accounts.get_by_text("No account matches")).to_be_visible()
    assert "status=active" in accounts.url
    assert "search=zzzz" in accounts.url
    accounts.go_back()
    expect(accounts.locator("#list")).to_have_attribute("data-total", str(active))
    expect(accounts.locator("#q")).to_have_value("")
    # Back makes the page load anew. Only then does it listen for the next step back.
    accounts.wait_for_load_state()
    accounts.go_back()
    expect(accounts.locator("#list")).to_have_attribute("data-total", str(everything))


def open_choices(page: Page, name: str) -> None:
    page.locator("#filter > summary").click()
    page.locator(f"#filter-{name}").click()


def choose_active(page: Page) -> None:
    open_choices(page, "status")
    page.locator("#chip-status-active").click()
    expect(page.locator("#chip-status-active")).to_have_attribute("aria-current", "true")
    page.keyboard.press("Escape")


def test_the_focus_stays_on_the_chip_that_was_pressed(accounts: Page) -> None:
    open_choices(accounts, "account_type")
    accounts.locator("#chip-account_type-seller").focus()
    accounts.keyboard.press("Enter")
    expect(accounts.locator("#chip-account_type-seller")).to_have_attribute("aria-current", "true")
    expect(accounts.locator("#chip-account_type-seller")).to_be_focused()


def test_the_caret_stays_in_the_search_box(accounts: Page) -> None:
    accounts.locator("#q").click()
    with accounts.expect_response(re.compile("search=a")):
        accounts.keyboard.type("a")
    accounts.wait_for_url("**search=a*")
    expect(accounts.locator("#q")).to_be_focused()


def test_pages_lead_forwards_and_back(accounts: Page) -> None:
    first = accounts.locator("[data-item] [data-select]").first.get_attribute("value") or ""
    accounts.locator("#next").click()
    expect(accounts.locator("#previous")).to_be_visible()
    expect(accounts.locator("[data-item] [data-select]").first).not_to_have_value(first)
    accounts.locator("#previous").click()
    expect(accounts.locator("[data-item] [data-select]").first).to_have_value(first)


def test_a_selection_survives_pages_and_orders(accounts: Page) -> None:
    expect(accounts.locator("#bulk")).to_be_hidden()
    accounts.locator("[data-select]").nth(0).check()
    accounts.locator("[data-select]").nth(1).check()
    assert bar(accounts) == "2 selected"
    accounts.locator("#next").click()
    expect(accounts.locator("#previous")).to_be_visible()
    accounts.locator("[data-select]").nth(0).check()
    assert bar(accounts) == "3 selected, 2 not on this page"
    accounts.locator("#previous").click()
    expect(accounts.locator("[data-select]").nth(1)).to_be_checked()
    assert bar(accounts) == "3 selected, 1 not on this page"
    # While rows are selected, their actions stand in the place of the headings.
    accounts.locator("#display > summary").click()
    accounts.locator("#display-sort-2").click()
    expect(accounts.locator("#display-sort-2")).to_have_attribute("aria-current", "true")
    assert bar(accounts).startswith("3 selected")
    accounts.keyboard.press("Escape")
    accounts.get_by_role("button", name="Clear").click()
    expect(accounts.locator("#bulk")).to_be_hidden()


def test_all_that_match_are_selected_and_counted_again_by_the_server(accounts: Page) -> None:
    choose_active(accounts)
    number = f"{total(accounts):,}"
    accounts.locator("#select-page").check()
    accounts.get_by_role("button", name=f"Select all {number}").click()
    assert bar(accounts) == f"{number} selected"
    accounts.locator("#bulk").get_by_role("button", name="Disconnect").click()
    dialog = accounts.get_by_role("dialog")
    expect(dialog.get_by_role("heading")).to_have_text(f"Disconnect {number} accounts?")
    expect(dialog.get_by_role("link", name="Cancel")).to_be_focused()


def test_another_filter_keeps_what_was_selected_by_hand_but_not_all_that_match(accounts: Page) -> None:
    choose_active(accounts)
    accounts.locator("[data-select]").first.check()
    accounts.locator("#clear").click()
    expect(accounts.locator("#clear")).to_have_count(0)
    assert bar(accounts).startswith("1 selected")
    choose_active(accounts)
    accounts.locator("[data-select-all]").click()
    expect(accounts.locator("#bulk")).to_be_visible()
    query = accounts.locator("#list").get_attribute("data-query") or ""
    accounts.locator("#clear").click()
    expect(accounts.locator("#list")).not_to_have_attribute("data-query", query)
    expect(accounts.locator("#bulk")).to_be_hidden()
    expect(accounts.locator("[data-select]:checked")).to_have_count(0)


def test_a_cleared_box_leaves_the_others_of_the_page_and_the_bar_says_so(accounts: Page) -> None:
    boxes = accounts.locator("[data-select]").count()
    accounts.locator("#select-page").check()
    accounts.locator("[data-select-all]").click()
    accounts.locator("#next").click()
    expect(accounts.locator("#previous")).to_be_visible()
    assert bar(accounts) == f"{total(accounts):,} selected"
    accounts.locator("#previous").click()
    expect(accounts.locator("#previous")).to_have_count(0)
    accounts.locator("[data-select]").first.uncheck()
    assert bar(accounts) == f"{boxes - 1} selected, of this page only"
    assert accounts.locator("#bulk [name=all]").input_value() == ""


def test_reconnect_is_offered_for_disconnected_accounts(accounts: Page) -> None:
    reconnect = accounts.locator("#bulk").get_by_role("button", name="Reconnect")
    accounts.locator("[data-select]").first.check()
    expect(accounts.locator("#bulk")).to_be_visible()
    expect(reconnect).to_be_hidden()
    accounts.locator("#bulk").get_by_role("button", name="Disconnect").click()
    accounts.get_by_role("dialog").get_by_role("button", name="Disconnect 1 account").click()
    accounts.wait_for_url("**/operations/*/")
    expect(accounts.locator("#head")).to_contain_text("1 of 1 done", timeout=PATIENCE)
    accounts.goto("/accounts/?status=inactive")
    accounts.locator("[data-disconnected]").first.check()
    expect(reconnect).to_be_visible()
    reconnect.click()
    accounts.get_by_role("dialog").get_by_role("button", name="Reconnect 1 account").click()
    accounts.wait_for_url("**/operations/*/")
    expect(accounts.locator("#head")).to_contain_text("1 of 1 done", timeout=PATIENCE)
    accounts.goto("/accounts/?status=active")
    accounts.locator("#select-page").check()
    accounts.locator("[data-select-all]").click()
    expect(reconnect).to_be_hidden()


def test_escape_closes_the_dialog_and_gives_the_focus_back(accounts: Page) -> None:
    accounts.locator("[data-select]").first.check()
    button = accounts.locator("#bulk").get_by_role("button", name="Sync")
    button.click()
    expect(accounts.get_by_role("dialog")).to_be_visible()
    accounts.keyboard.press("Escape")
    expect(accounts.get_by_role("dialog")).to_be_hidden()
    expect(button).to_be_focused()
    assert bar(accounts) == "1 selected"


def test_labels_are_set_on_many_and_mistakes_stay_in_the_dialog(accounts: Page) -> None:
    names = [accounts.locator("[data-item] .c-name").nth(number).inner_text() for number in (0, 1)]
    for number in (0, 1):
        accounts.locator("[data-select]").nth(number).check()
    accounts.locator("#bulk").get_by_role("button", name="Labels").click()
    dialog = accounts.get_by_role("dialog")
    dialog.get_by_label("Set labels").fill("no colon")
    dialog.get_by_role("button", name="Update 2 accounts").click()
    expect(dialog.get_by_role("alert")).to_contain_text("is not of the form")
    expect(dialog.get_by_label("Set labels")).to_be_focused()
    dialog.get_by_label("Set labels").fill("team: north")
    dialog.get_by_role("button", name="Update 2 accounts").click()
    expect(dialog).to_be_hidden()
    expect(accounts.locator("#toasts")).to_contain_text("2 accounts labelled team: north.", timeout=PATIENCE)
    accounts.goto("/accounts/?labels=team:north")
    for name in names:
        expect(accounts.get_by_role("link", name=name, exact=True).first).to_be_visible()


def test_labels_are_undone_from_a_toast_that_stays_under_the_pointer(accounts: Page) -> None:
    accounts.clock.install()
    accounts.reload()
    accounts.locator("[data-select]").first.check()
    accounts.keyboard.press("l")
    expect(accounts.get_by_role("dialog").get_by_label("Set labels")).to_be_focused()
    # Another value at each try: an earlier try may have left its label behind. A row shows only its first labels, and
    # other tests label the same account.
    value = f"w{uuid4().hex[:5]}"
    accounts.keyboard.type(f"a-first-key: {value}")
    accounts.keyboard.press("Enter")
    toast = accounts.locator(".c-toast")
    expect(toast).to_contain_text(f"1 account labelled a-first-key: {value}.", timeout=PATIENCE)
    expect(accounts.locator("#list")).to_contain_text(value, timeout=PATIENCE)
    toast.hover()
    accounts.clock.run_for(20_000)
    toast.get_by_role("button", name="Undo").click()
    expect(toast).to_contain_text("Undone for 1 account.", timeout=PATIENCE)
    expect(accounts.locator("#list")).not_to_contain_text(value, timeout=PATIENCE)
    accounts.mouse.move(0, 0)
    accounts.clock.run_for(11_000)
    expect(toast).to_have_count(0)


def test_a_sync_of_all_moves_by_itself_to_its_end(accounts: Page) -> None:
    accounts.locator("#select-page").check()
    accounts.locator("[data-select-all]").click()
    accounts.locator("#bulk").get_by_role("button", name="Sync").click()
    accounts.get_by_role("dialog").get_by_role("button", name=re.compile("^Sync ")).click()
    accounts.wait_for_url("**/operations/*/")
    expect(accounts.locator("#head").get_by_text("Succeeded")).to_be_visible(timeout=PATIENCE)
    expect(accounts.locator("#head [hx-trigger]")).to_have_count(0)
    expect(accounts.locator("#list [hx-trigger]")).to_have_count(0, timeout=10_000)
    with accounts.expect_download() as download:
        accounts.get_by_role("link", name="Download as CSV").click()
    assert download.value.path().read_text("utf-8-sig").startswith("account_id,")


def test_keys_search_move_select_and_explain(accounts: Page) -> None:
    accounts.keyboard.press("/")
    expect(accounts.locator("#q")).to_be_focused()
    accounts.locator("h1").click()
    accounts.evaluate("document.activeElement.blur()")
    names = accounts.locator("[data-item] a.c-name")
    accounts.keyboard.press("j")
    expect(names.nth(0)).to_be_focused()
    accounts.keyboard.press("j")
    expect(names.nth(1)).to_be_focused()
    accounts.keyboard.press("ArrowUp")
    expect(names.nth(0)).to_be_focused()
    accounts.keyboard.press("x")
    assert bar(accounts) == "1 selected"
    accounts.keyboard.press("?")
    expect(accounts.get_by_role("dialog")).to_contain_text("Search")
    accounts.keyboard.press("Escape")
    expect(accounts.get_by_role("dialog")).to_be_hidden()
    accounts.keyboard.press("Escape")
    expect(accounts.locator("#bulk")).to_be_hidden()
    names.nth(0).focus()
    accounts.keyboard.press("Enter")
    accounts.wait_for_url(re.compile("/accounts/[0-9a-f-]{36}/"))


def test_an_ended_session_leads_to_the_login_and_back(accounts: Page, connected: Product) -> None:
    accounts.context.clear_cookies()
    open_choices(accounts, "status")
    expect(accounts.get_by_label("Password")).to_be_visible()
    log_in(accounts, connected, "/accounts/")


def test_the_frames_controls_are_reached_by_keyboard(accounts: Page) -> None:
    account = accounts.get_by_role("button", name=re.compile("admin"))
    account.focus()
    accounts.keyboard.press("Enter")
    expect(accounts.get_by_text("Log out")).to_be_visible()


def test_the_first_tab_stop_skips_to_the_content(accounts: Page) -> None:
    accounts.keyboard.press("Tab")
    expect(accounts.get_by_role("link", name="Skip to the content")).to_be_focused()


def test_three_letters_and_enter_open_an_account(accounts: Page) -> None:
    name = accounts.locator("[data-item] .c-name").nth(3).inner_text()
    accounts.keyboard.press("Control+k")
    search = accounts.locator("#search-input-command")
    expect(search).to_be_focused()
    accounts.keyboard.type(name[:3])
    accounts.keyboard.press("Enter")
    accounts.wait_for_url(re.compile("/accounts/[0-9a-f-]{36}/"))


def test_all_that_match_are_labelled_by_four_keys_and_the_text(accounts: Page) -> None:
    number = total(accounts)
    for key in ("a", "a"):
        accounts.keyboard.press(key)
    assert bar(accounts) == f"{number:,} selected"
    accounts.keyboard.press("l")
    expect(accounts.get_by_role("dialog").get_by_label("Set labels")).to_be_focused()
    accounts.keyboard.type("season: Q4")
    accounts.keyboard.press("Enter")
    done = f"{number:,} accounts labelled season: Q4."
    expect(accounts.locator("#toasts")).to_contain_text(done, timeout=PATIENCE)


def test_escape_comes_back_from_an_account_to_its_row_and_letters_go_to_pages(accounts: Page) -> None:
    accounts.keyboard.press("/")
    accounts.keyboard.press("ArrowDown")
    names = accounts.locator("[data-item] a.c-name")
    expect(names.nth(0)).to_be_focused()
    for key in ("x", "j", "j", "Shift+X"):
        accounts.keyboard.press(key)
    assert bar(accounts) == "3 selected"
    accounts.keyboard.press("Enter")
    accounts.wait_for_url(re.compile("/accounts/[0-9a-f-]{36}/"))
    accounts.keyboard.press("Escape")
    accounts.wait_for_url("**/accounts/")
    expect(names.nth(2)).to_be_focused()
    accounts.keyboard.press("?")
    accounts.get_by_label("Single letters are keys").uncheck()
    accounts.keyboard.press("Escape")
    for key in ("g", "p"):
        accounts.keyboard.press(key)
    accounts.keyboard.press("?")
    expect(accounts.get_by_role("dialog")).to_be_hidden()
    accounts.evaluate("localStorage.clear()")
    for key in ("g", "p"):
        accounts.keyboard.press(key)
    accounts.wait_for_url("**/operations/")


def test_the_theme_is_there_from_the_first_paint(accounts: Page) -> None:
    accounts.evaluate("localStorage.setItem('adminTheme', '\"dark\"')")
    accounts.reload(wait_until="commit")
    accounts.wait_for_selector("html.dark", state="attached")
    expect(accounts.locator("html")).to_have_class(re.compile("dark"))


def test_on_touch_everything_is_large_enough(
    browser: Browser, connected: Product, session: StorageState
) -> None:
    context = browser.new_context(
        base_url=connected.url, storage_state=session, viewport={"width": 390, "height": 844}, has_touch=True,
        is_mobile=True,
    )  # fmt: skip
    page = context.new_page()
    page.goto("/accounts/")
    for target in ("#filter > summary", "label.c-pick >> nth=1", "label:has(#select-page)", "#next"):
        box = page.locator(target).bounding_box()
        assert box is not None
        assert box["height"] >= 44, target
    box = page.locator("label.c-pick").nth(1).bounding_box()
    assert box is not None
    page.touchscreen.tap(box["x"] + 3, box["y"] + 3)
    expect(page.locator("[data-select]").first).to_be_checked()
    context.close()


FULLY_VISIBLE = """() => [...document.querySelectorAll("[data-item]")].filter((row) => {
  const { top, bottom } = row.getBoundingClientRect();
  return top >= 0 && bottom <= innerHeight;
}).length"""


@pytest.mark.parametrize(
    ("view", "width", "height", "rows"),
    [("table", 1440, 900, 19), ("cards", 1440, 900, 12), ("table", 390, 844, 8)],
)
def test_many_accounts_are_fully_visible(page: Page, view: str, width: int, height: int, rows: int) -> None:
    page.set_viewport_size({"width": width, "height": height})
    page.goto(f"/accounts/?view={view}")
    assert page.evaluate(FULLY_VISIBLE) >= rows


def test_while_rows_are_selected_nothing_moves_and_three_rows_stay_in_view_at_200_percent(
    accounts: Page,
) -> None:
    row = accounts.locator("[data-item]").nth(2)
    before = row.bounding_box()
    row.locator("[data-select]").check()
    expect(accounts.locator("#bulk")).to_be_visible()
    assert row.bounding_box() == before
    accounts.set_viewport_size({"width": 720, "height": 450})
    assert accounts.evaluate(FULLY_VISIBLE) >= 3


def test_no_page_scrolls_sideways(page: Page) -> None:
    pages = [
        "/",
        "/accounts/?view=cards",
        "/accounts/?view=table",
        "/connections/",
        "/operations/",
        "/activity/",
    ]
    for address in pages:
        page.goto(address)
        for width in (360, 768, 1440, 2560):
            page.set_viewport_size({"width": width, "height": 900})
            assert page.evaluate("document.documentElement.scrollWidth") <= width, (address, width)


def test_nothing_jumps_when_a_page_loads_or_updates(page: Page) -> None:
    for address in ("/", "/accounts/", "/connections/"):
        page.goto(address)
        page.wait_for_load_state("networkidle")
        shift = page.evaluate(
            """() => new Promise((resolve) => {
                 let sum = 0;
                 new PerformanceObserver((list) => { for (const entry of list.getEntries()) sum += entry.value; })
                   .observe({ type: "layout-shift", buffered: true });
                 setTimeout(() => resolve(sum), 300);
               })"""
        )
        assert shift < 0.02, address


def test_without_script_pages_read_filter_search_page_and_act(
    browser: Browser, connected: Product, watch: Watch
) -> None:
    # Unfold's deferred scripts are not run; Chromium tells each of them.
    context = browser.new_context(
        base_url=connected.url, java_script_enabled=False, viewport={"width": 1024, "height": 900}
    )
    watch.over(context)
    page = context.new_page()
    log_in(page, connected)
    page.locator("#nav-sidebar a[href='/accounts/']").click()
    open_choices(page, "status")
    page.locator("#chip-status-active").click()
    expect(page.locator("#chip-status-active")).to_have_attribute("aria-current", "true")
    page.locator("#filter-done").click()
    page.locator("#q").fill("a")
    page.get_by_role("button", name="Search").click()
    assert "status=active" in page.url
    page.goto("/accounts/")
    heads, cells = (
        [box["x"] for each in page.locator(row).all() if (box := each.bounding_box())]
        for row in ("thead th", "tbody tr >> nth=0 >> td")
    )
    assert heads == cells
    page.locator("#next").click()
    expect(page.locator("#previous")).to_be_visible()
    page.locator("[data-select]").first.check()
    page.locator("#bulk").get_by_role("button", name="Labels").click()
    page.get_by_label("Set labels").fill("by: hand")
    page.get_by_role("button", name="Update 1 account").click()
    expect(page.locator("#head")).to_contain_text("Update of 1 account")
    context.close()
