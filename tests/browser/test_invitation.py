"""An invitation from the page of an administrator to the first page of the new person, with a real mail."""

import email
import email.policy
import re
import socketserver
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import chromium, log_in
from tests.browser.product import Product, running_product
from tests.browser.test_accessibility import violations
from tests.processes import eventually

PASSWORD = "correct horse battery"


class MailServer(socketserver.ThreadingTCPServer):
    """Takes every mail, and keeps it."""

    allow_reuse_address = True
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Conversation)
        self.mails: list[str] = []

    @property
    def url(self) -> str:
        return f"smtp://127.0.0.1:{self.server_address[1]}"


class Conversation(socketserver.StreamRequestHandler):
    server: MailServer

    def handle(self) -> None:
        self.wfile.write(b"220 hello\r\n")
        for line in self.rfile:
            match line.split(maxsplit=1)[0].upper():
                case b"DATA":
                    self.wfile.write(b"354 go on\r\n")
                    self.server.mails.append(self._read_mail())
                    self.wfile.write(b"250 taken\r\n")
                case b"QUIT":
                    self.wfile.write(b"221 bye\r\n")
                    return
                case _:
                    self.wfile.write(b"250 fine\r\n")

    def _read_mail(self) -> str:
        lines = list(iter(self.rfile.readline, b".\r\n"))
        message = email.message_from_bytes(b"".join(lines), policy=email.policy.default)
        return str(message.get_content())


@pytest.fixture
def mail_server() -> Iterator[MailServer]:
    with MailServer() as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


# Instead of the product of the other tests, which has no mail server.
@pytest.fixture
def product(mail_server: MailServer, tmp_path: Path) -> Iterator[Product]:
    chromium()
    with running_product(tmp_path / "var", EMAIL_URL=mail_server.url) as product:
        yield product


def look_at(page: Page) -> None:
    for theme, width in (("light", 1440), ("dark", 360)):
        page.emulate_media(color_scheme="dark" if theme == "dark" else "light")
        page.set_viewport_size({"width": width, "height": 900})
        assert violations(page) == []
        assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_a_new_person_comes_by_the_link_in_the_mail(
    product: Product, mail_server: MailServer, browser: Browser
) -> None:
    boss = browser.new_page(base_url=product.url)
    log_in(boss, product)
    boss.goto("/teams/")
    boss.get_by_label("E-mail address").fill("nina@example.com")
    boss.get_by_role("button", name="Send the invitation").click()
    expect(boss.get_by_text("nina@example.com is invited to Main")).to_be_visible()
    eventually(lambda: mail_server.mails)
    found = re.search(r"http://localhost\S+", mail_server.mails[0].partition("Open this link")[2])
    assert found
    boss.reload()
    expect(boss.get_by_text("not mailed yet")).to_have_count(0)
    look_at(boss)

    context = browser.new_context(base_url=product.url)
    nina = context.new_page()
    nina.goto(found[0])
    assert nina.url == f"{product.url}/auth/invitation/"
    expect(nina.get_by_text("An administrator invites you to the team Main, as viewer.")).to_be_visible()
    look_at(nina)
    nina.get_by_label("Username").fill("nina")
    nina.get_by_label("Password", exact=True).fill(PASSWORD)
    nina.get_by_label("Password confirmation").fill(PASSWORD)
    nina.get_by_role("button", name="Make the login and join").click()
    nina.wait_for_url(f"{product.url}/")
    nina.goto("/teams/")
    expect(nina.get_by_text("nina (you)")).to_be_visible()
    context.close()

    stranger = browser.new_page(base_url=product.url)
    stranger.goto(found[0])
    expect(stranger.get_by_role("heading", name="This invitation opens nothing")).to_be_visible()
    look_at(stranger)
