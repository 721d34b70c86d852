"""Server and script write relative times in the same words."""

from datetime import timedelta

from django.contrib.staticfiles import finders
from django.utils import timezone
from django.utils.html import format_html_join
from playwright.sync_api import Browser

from dashboard.formats.times import relative

# None is within some seconds of the next word: the browser writes it a little later than the server.
DISTANCES = [
    timedelta(seconds=20),
    timedelta(seconds=90),
    timedelta(minutes=59, seconds=30),
    timedelta(hours=1, seconds=30),
    timedelta(hours=2, minutes=10, seconds=30),
    timedelta(hours=9, minutes=59, seconds=30),
    timedelta(hours=10, minutes=30, seconds=30),
    timedelta(hours=23, minutes=59, seconds=30),
    timedelta(days=1, minutes=1),
    timedelta(days=6, hours=1),
    timedelta(days=8, hours=1),
]


def test_the_script_writes_what_the_server_writes(browser: Browser) -> None:
    moments = [timezone.now() - sign * distance for distance in DISTANCES for sign in (1, -1)]
    elements = format_html_join(
        "", '<time datetime="{}" data-as="relative"></time>', ((moment.isoformat(),) for moment in moments)
    )
    with browser.new_context(timezone_id="UTC") as context:
        page = context.new_page()
        page.set_content(elements)
        page.add_script_tag(path=str(finders.find("dashboard/times.js")))
        page.evaluate("document.dispatchEvent(new Event('DOMContentLoaded'))")
        assert page.locator("time").all_inner_texts() == [relative(moment) for moment in moments]
