"""What the browser of a client can reach, and where the token of a link must not appear."""

import logging
import re
from collections.abc import Callable, Iterator
from io import StringIO
from typing import Any

import pytest
from django.conf import LazySettings
from django.contrib.auth.models import User
from django.test import Client

from amazon_accounts.sandbox.state import Sandbox
from amazon_accounts.web.links import ClientLinkFilter
from tests.accounts.access.test_table import rows
from tests.public_url import browser_at_public_url
from tests.tokens.connect.links.visiting import new_link, read, visit
from tokens.models import Connection, ConnectLink, Session

IDS: dict[str, Callable[[], str]] = {
    "<uuid:connection_id>": lambda: str(Connection.objects.get().pk),
    "<uuid:link_id>": lambda: str(ConnectLink.objects.get().pk),
    "<uuid:team_id>": lambda: str(ConnectLink.objects.get().team_id),
}
# What anybody may ask for; the description of the API in local mode only.
PUBLIC = {
    "api/v1/docs/",
    "api/v1/schema/",
    "c/<slug:token>/",
    "connect/amazon/callback/",
    "favicon.ico",
    "healthz",
    "metrics",
    "readyz",
}


@pytest.fixture
def written() -> Iterator[StringIO]:
    """All lines of the log, as the product writes them."""
    stream = StringIO()
    handler = logging.StreamHandler(stream)
    handler.addFilter(ClientLinkFilter())
    root = logging.getLogger()
    root.addHandler(handler)
    yield stream
    root.removeHandler(handler)


@pytest.mark.django_db(transaction=True)
class TestWalk:
    def test_no_page_of_the_console_opens_with_the_cookies_of_a_client(
        self, mara: User, sandbox: Sandbox
    ) -> None:
        _, path = new_link(mara)
        browser = visit(path, sandbox)
        assert browser.get(path).status_code == 200
        assert "sessionid" not in str(list(browser.cookies))
        assert not Session.objects.exists()
        opened = []
        for method, address, _ in rows():
            if address in PUBLIC:
                continue
            target = "/" + address
            for pattern, make in IDS.items():
                target = target.replace(pattern, make()) if pattern in target else target
            target = re.sub(r"<uuid:\w+>", "0193c8a0-0000-7000-8000-000000000001", target)
            target = target.replace("<int:person_id>", str(mara.pk)).replace("<slug:code>", "not-found")
            target = target.replace("<str:user_name>", mara.username)
            answer = getattr(browser, method.lower())(target)
            if answer.status_code not in {302, 401, 403, 404}:
                opened.append((method, target, answer.status_code))
        assert opened == []
        assert Connection.objects.get().state == "active"

    def test_every_page_of_the_way_keeps_the_token_from_logs_titles_and_referrers(
        self, mara: User, sandbox: Sandbox, written: StringIO, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.DEBUG)
        _, path = new_link(mara)
        token = path.removeprefix("/c/").strip("/")
        browser = browser_at_public_url()
        visit(path, sandbox, decision="cancel", browser=browser)
        pages = [browser.get(path)]
        visit(path, sandbox, browser=browser)
        pages += [browser.get(path), browser_at_public_url().get(path)]
        for page in pages:
            assert page["Referrer-Policy"] == "strict-origin"
            assert page["X-Robots-Tag"] == "noindex"
            assert token not in page.content.decode()
        # What Django itself writes about a refusal has the path.
        browser_at_public_url(enforce_csrf_checks=True).post(path)
        browser.put(path)
        browser.get(f"{path}more/")
        browser.get(path.upper())
        lines = written.getvalue()
        assert "/c/…" in lines
        assert token not in lines
        assert token.upper() not in lines
        assert token not in str([vars(link) for link in ConnectLink.objects.all()])


@pytest.mark.django_db
class TestLimits:
    def test_guesses_from_one_address_are_limited(self, mara: User, caplog: pytest.LogCaptureFixture) -> None:
        _, path = new_link(mara)
        guesser = Client(REMOTE_ADDR="198.51.100.7")
        for _ in range(40):
            assert guesser.get(path).status_code == 200
        answers = [guesser.get(f"/c/guess-{number}/").status_code for number in range(31)]
        assert answers == [410] * 30 + [429]
        refused = guesser.get(path)
        assert refused.status_code == 429
        assert int(refused["Retry-After"]) > 0
        assert "Too many links were opened from your network." in read(refused)
        assert Client(REMOTE_ADDR="198.51.100.8").get(path).status_code == 200
        assert "guess-30" not in caplog.text

    def test_starts_from_one_address_are_limited(self, mara: User, settings: LazySettings) -> None:
        _, path = new_link(mara)
        browser = browser_at_public_url()
        # A few more than at once are allowed, because a turn comes back every two seconds.
        answers = [browser.post(path).status_code for _ in range(75)]
        assert answers[:60] == [200] * 60
        assert answers[-1] == 429
        assert browser.get(path).status_code == 200

    def test_a_form_of_another_site_starts_nothing(self, mara: User) -> None:
        _, path = new_link(mara)
        assert browser_at_public_url(enforce_csrf_checks=True).post(path).status_code == 403


def test_the_log_of_the_product_leaves_out_tokens(settings: Any) -> None:
    assert "client_links" in settings.LOGGING["handlers"]["stderr"]["filters"]
    token = "kV3nQm8ZrT5yLw2xHs7bDf9gJc4aPe6uNt1oRi0qXvE"
    record = logging.LogRecord(
        "x", logging.INFO, "x", 1, "%s %s 100%%", (f"/c/{token}/", "https://h/c/x"), None
    )
    assert ClientLinkFilter().filter(record)
    assert record.getMessage() == "/c/…/ https://h/c/x 100%"
    broken = logging.LogRecord("x", logging.INFO, "x", 1, "%d", ("/c/",), None)
    assert ClientLinkFilter().filter(broken)
