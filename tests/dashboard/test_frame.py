"""What every page has: the frame, the permission check, and the answers to htmx."""

import re
from html.parser import HTMLParser
from importlib.metadata import version
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from django.contrib.auth.models import User
from django.contrib.staticfiles import finders
from django.test import Client
from pytest_django import Settings

from tests.dashboard.conftest import LogIn, MakeAccount, MakeConnection, staff
from tokens.models import Membership, Team

PAGES = ["/", "/accounts/", "/connections/", "/renewals/", "/operations/", "/activity/"]
# What an empty page offers to a person who may do it.
OFFERS = [
    'href="/connect/amazon/"',
    "Connect an Amazon login to begin",
    "Select accounts or connections in their list",
]


@pytest.mark.parametrize("address", PAGES)
def test_it_asks_strangers_to_log_in(client: Client, db: None, address: str) -> None:
    response = client.get(address)
    assert response.status_code == 302
    assert response["Location"] == f"/auth/login/?next={address}"


@pytest.mark.parametrize("address", PAGES)
def test_it_turns_away_people_who_are_not_staff(client: Client, db: None, address: str) -> None:
    client.force_login(User.objects.create_user("customer"))
    assert client.get(address).status_code == 302


@pytest.mark.parametrize("address", PAGES)
def test_it_refuses_staff_without_the_permission_and_says_which(
    log_in: LogIn, db: None, address: str
) -> None:
    response = log_in(staff("newcomer")).get(address)
    assert response.status_code == 403
    page = response.content.decode()
    assert "View accounts" in page or "View connections" in page
    assert "Ask an administrator" in page


@pytest.mark.parametrize("address", PAGES)
def test_it_marks_only_its_own_menu_item(log_in: LogIn, alice: User, address: str) -> None:
    page = log_in(alice).get(address).content.decode()
    active = re.findall(r'<a href="([^"]+)" class="[^"]* active"', page)
    assert active == [address]


@pytest.mark.parametrize("address", PAGES)
def test_it_is_never_stored_and_differs_for_htmx(log_in: LogIn, alice: User, address: str) -> None:
    response = log_in(alice).get(address)
    assert "no-store" in response["Cache-Control"]
    assert {"HX-Request", "HX-History-Restore-Request"} <= {
        part.strip() for part in response["Vary"].split(",")
    }


@pytest.mark.parametrize("address", PAGES)
def test_htmx_gets_a_piece_and_the_whole_page_when_it_restores_history(
    log_in: LogIn, alice: User, address: str
) -> None:
    client = log_in(alice)
    assert "<html" not in client.get(address, headers={"HX-Request": "true"}).content.decode()
    restored = {"HX-Request": "true", "HX-History-Restore-Request": "true"}
    assert "<html" in client.get(address, headers=restored).content.decode()


@pytest.mark.parametrize(
    ("referer", "page"),
    [
        ("http://testserver/accounts/?status=active&q=a%20b", "/accounts/?status=active&q=a%20b"),
        ("http://testserver", "/"),
        ("http://elsewhere.example/accounts/", "/"),
        ("http:///accounts/", "/"),
        ("", "/"),
    ],
)
def test_the_login_leads_back_to_the_page_of_a_button(
    client: Client, alice: User, referer: str, page: str
) -> None:
    response = client.post("/operations/", {"operation": "sync"}, headers={"Referer": referer})
    login = urlsplit(response["Location"])
    assert (response.status_code, login.path) == (302, "/auth/login/")
    assert parse_qs(login.query) == {"next": [page]}


@pytest.mark.parametrize(
    ("address", "page"),
    [
        ("/operations/{}/cancel/", "/operations/{}/"),
        ("/operations/{}/retry/", "/operations/{}/"),
        ("/operations/{}/undo/", "/operations/{}/"),
        ("/connections/{}/sync/", "/connections/{}/"),
        ("/connections/{}/refresh/", "/connections/{}/"),
    ],
)
def test_opening_the_address_of_a_button_leads_to_its_page(
    log_in: LogIn, alice: User, address: str, page: str
) -> None:
    some = "01890000-0000-7000-8000-000000000000"
    assert log_in(alice).get(address.format(some))["Location"] == page.format(some)
    assert log_in(alice).put(address.format(some)).status_code == 405


def test_it_says_that_it_is_a_sandbox(log_in: LogIn, alice: User, settings: Settings) -> None:
    settings.USES_SANDBOX = True
    assert "Sandbox" in log_in(alice).get("/").content.decode()
    settings.USES_SANDBOX = False
    assert "Sandbox" not in log_in(alice).get("/").content.decode()


def test_the_menu_counts_connections_that_need_a_person(
    log_in: LogIn, alice: User, bob: User, make_connection: MakeConnection
) -> None:
    make_connection(alice)
    make_connection(bob, state="reauthorization_required")
    badge = re.compile(r"Connections</span>\s*<span[^>]*>\s*(\d+)")
    assert not badge.search(log_in(alice).get("/accounts/").content.decode())
    make_connection(alice, state="reauthorization_required")
    found = badge.search(log_in(alice).get("/accounts/").content.decode())
    assert found
    assert found[1] == "1"


def test_an_ended_session_sends_the_whole_page_to_the_login(client: Client, db: None) -> None:
    headers = {"HX-Request": "true", "HX-Current-URL": "http://testserver/accounts/?status=active"}
    response = client.get("/accounts/", headers=headers)
    assert response.status_code == 200
    assert response["HX-Redirect"] == "/auth/login/?next=%2Faccounts%2F%3Fstatus%3Dactive"


def test_a_filter_that_was_clicked_when_the_session_had_ended_is_on_after_the_login(
    client: Client, db: None
) -> None:
    headers = {
        "HX-Request": "true",
        "HX-Boosted": "true",
        "HX-Current-URL": "http://testserver/accounts/",
    }
    response = client.get("/accounts/?status=active", headers=headers)
    assert response["HX-Redirect"] == "/auth/login/?next=%2Faccounts%2F%3Fstatus%3Dactive"


def test_the_way_back_from_the_login_stays_on_this_host(client: Client, db: None) -> None:
    headers = {"HX-Request": "true", "HX-Current-URL": "https://evil.example/accounts/"}
    assert client.get("/accounts/", headers=headers)["HX-Redirect"] == "/auth/login/?next=%2F"


class Attributes(HTMLParser):
    """Collects what script would run or take as an instruction."""

    def __init__(self) -> None:
        super().__init__()
        self.instructions: list[str] = []
        self.inline: list[str] = []
        self.tag = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tag = tag
        self.inline += [name for name, _ in attrs if name.startswith("on")]
        for name, value in attrs:
            if name.startswith(("x-", "hx-", "@", ":")):
                self.instructions.append(value or "")

    def handle_data(self, data: str) -> None:
        if self.tag in {"script", "style"} and data.strip():
            self.inline.append(data)

    def handle_endtag(self, tag: str) -> None:
        self.tag = ""


HOSTILE = "zqx$(alert`1`){{constructor}}"


@pytest.fixture
def hostile_pages(log_in: LogIn, make_connection: MakeConnection, make_account: MakeAccount) -> list[str]:
    user = staff("mallory", "Administrator")
    User.objects.filter(pk=user.pk).update(
        first_name=HOSTILE, last_name=HOSTILE, email=f"{HOSTILE}@example.com"
    )
    connection = make_connection(
        user, HOSTILE, amazon_user_name=HOSTILE, last_error=HOSTILE, sync_error=HOSTILE, sync_failures=1
    )
    make_connection(user, HOSTILE + "2", state="reauthorization_required", amazon_user_name=HOSTILE)
    account = make_account(
        connection,
        HOSTILE,
        countries=[HOSTILE],
        labels={HOSTILE: HOSTILE},
        errors={HOSTILE: HOSTILE},
        amazon_status=HOSTILE,
        metadata={HOSTILE: HOSTILE},
    )
    client = log_in(user)
    addresses = [
        *PAGES,
        f"/accounts/{account.pk}/",
        f"/connections/{connection.pk}/",
        f"/accounts/?search={HOSTILE}&labels={HOSTILE}:x",
        f"/accounts/?view=table&country={HOSTILE}&cursor={HOSTILE}",
        f"/activity/?after={HOSTILE}&kind={HOSTILE}",
        f"/connections/?state={HOSTILE}&after={HOSTILE}",
        f"/?period={HOSTILE}",
        f"/connections/{connection.pk}/disconnect/",
        "/admin/accounts/account/",
        f"/admin/accounts/account/{account.pk}/change/",
        f"/admin/search/?s={HOSTILE}&extended=1",
        "/admin/tokens/connection/",
    ]
    return [client.get(address).content.decode() for address in addresses]


def test_no_text_of_people_or_amazon_becomes_an_instruction(hostile_pages: list[str]) -> None:
    """Our script evaluates the text of an x- attribute, and htmx sends what an hx- attribute says."""
    assert sum("zqx" in page for page in hostile_pages) > 10
    for page in hostile_pages:
        attributes = Attributes()
        attributes.feed(page)
        assert not [value for value in attributes.instructions if "zqx" in value]


def test_no_page_has_an_inline_script_or_style(hostile_pages: list[str]) -> None:
    for page in hostile_pages:
        attributes = Attributes()
        attributes.feed(page)
        assert attributes.inline == []


def test_the_command_search_finds_only_own_connections_and_accounts(
    log_in: LogIn, alice: User, bob: User, make_connection: MakeConnection, make_account: MakeAccount
) -> None:
    make_account(make_connection(alice, "Needle login"), "Needle account")
    make_account(make_connection(bob, "Needle of Bob"), "Needle account of Bob")
    page = log_in(alice).get("/admin/search/?s=needle&extended=1").content.decode()
    assert "Needle login" in page
    assert "Needle account" in page
    assert "Bob" not in page


def test_the_command_search_keeps_no_answer_for_a_person_who_leaves_the_team(
    log_in: LogIn, alice: User, make_connection: MakeConnection
) -> None:
    make_connection(alice, "Needle login")
    client = log_in(alice)
    address = "/admin/search/?s=needle&extended=1"
    assert "Needle login" in client.get(address).content.decode()
    Membership.objects.filter(user=alice).update(team=Team.objects.create(name="South"))
    assert "Needle" not in client.get(address).content.decode()


def test_the_command_search_says_how_many_were_found(
    log_in: LogIn, alice: User, make_connection: MakeConnection, make_account: MakeAccount
) -> None:
    for number in range(11):
        make_account(make_connection(alice, f"Garden login {number}"), f"Garden & home {number:02}")
    page = log_in(alice).get("/admin/search/?s=garden%20%26&extended=1").content.decode()
    assert "The first 8 of 11 accounts" in page
    assert 'href="/accounts/?search=garden+%26"' in page
    assert "home 07" in page
    assert "home 08" not in page
    assert (
        "The first 8 of 11 connections"
        in log_in(alice).get("/admin/search/?s=login&extended=1").content.decode()
    )
    assert "The first" not in log_in(alice).get("/admin/search/?s=home+07&extended=1").content.decode()


@pytest.mark.parametrize("address", ["/", "/connections/"])
def test_one_button_of_an_empty_page_is_filled(administrator: User, log_in: LogIn, address: str) -> None:
    page = log_in(administrator).get(address).content.decode()
    assert page.count(">Connect Amazon</a>") == 2
    assert page.count("c-button--main") == 1


def test_the_search_box_says_what_it_searches(log_in: LogIn, alice: User) -> None:
    page = log_in(alice).get("/").content.decode()
    assert "Accounts, logins…" in page
    assert "apps and models" not in page


def test_the_login_page_has_our_icon_and_no_inline_style(client: Client, db: None) -> None:
    page = client.get("/auth/login/").content.decode()
    assert "/static/dashboard/icon.svg" in page
    assert "<style" not in page
    assert client.get("/favicon.ico")["Location"] == "/static/dashboard/icon.svg"


@pytest.mark.parametrize(
    "address",
    [*PAGES, "/nowhere/", "/admin/", "/admin/auth/user/", "/auth/login/", "/auth/2fa/", "/api/v1/docs/"],
)
def test_every_page_is_sent_with_the_strict_policy(log_in: LogIn, superuser: User, address: str) -> None:
    sent = log_in(superuser).get(address)["Content-Security-Policy"]
    policy = dict(directive.partition(" ")[::2] for directive in sent.split("; "))
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == "'self'"
    assert policy["style-src-elem"] == "'self'"
    assert policy["frame-ancestors"] == "'none'"
    assert {name for name in policy if "script" in name} == {"script-src"}


@pytest.mark.parametrize("name", ["expressions.js", "frame.js", "unfold.css"])
def test_the_repairs_of_unfold_name_the_installed_version(name: str) -> None:
    """After an update of unfold: look at the files, run tests/browser, then change the version in their headers."""
    path = finders.find(f"dashboard/{name}")
    assert path
    assert f"unfold {version('django-unfold')} " in Path(path).read_text().partition("*/")[0]


def test_a_heading_keeps_the_case_of_names(
    log_in: LogIn, superuser: User, make_connection: MakeConnection, make_account: MakeAccount
) -> None:
    client = log_in(superuser)
    connection = make_connection(superuser, "ana@nordwind-agency.example")
    account = make_account(connection, "iGarden")
    for row, address in ((connection, "connections"), (account, "accounts")):
        for page in (
            f"/{address}/{row.pk}/",
            f"/admin/{row._meta.app_label}/{row._meta.model_name}/{row.pk}/change/",
        ):
            heading = client.get(page).content.decode().partition("<h1")[2].partition("</h1>")[0]
            assert f">{row}<" in heading
    assert ">Connections<" in client.get("/admin/tokens/connection/").content.decode().partition("</h1>")[0]


def test_an_account_without_a_name_is_called_the_same_everywhere(
    log_in: LogIn, superuser: User, make_connection: MakeConnection, make_account: MakeAccount
) -> None:
    client = log_in(superuser)
    account = make_account(make_connection(superuser))
    account.status = "suspended"
    account.save(update_fields=["status"])
    for page in (
        f"/accounts/{account.pk}/",
        "/activity/?kind=change",
        "/admin/accounts/account/",
        f"/admin/accounts/account/{account.pk}/change/",
    ):
        text = client.get(page).content.decode()
        assert f"(no name) {account.amazon_account_id}" in text


@pytest.mark.parametrize("address", [*PAGES, "/nowhere/"])
def test_people_without_permissions_are_offered_to_log_out(log_in: LogIn, alice: User, address: str) -> None:
    page = log_in(staff("newcomer")).get(address).content.decode()
    assert "Go to the overview" not in page
    assert "You are signed in as newcomer." in page
    assert re.search(r'<form method="post" action="/admin/logout/">.*>Log out</button>', page, re.DOTALL)
    assert "Go to the overview" in log_in(alice).get("/nowhere/").content.decode()


@pytest.mark.parametrize("address", PAGES)
def test_an_empty_page_offers_only_what_is_permitted_and_says_whose_rows_it_shows(
    log_in: LogIn, superuser: User, address: str
) -> None:
    content = log_in(staff("vera", "Viewer")).get(address).content.decode().partition('id="content"')[2]
    for offer in OFFERS:
        assert offer not in content
    permitted = log_in(staff("olga", "Operator")).get(address).content.decode().partition('id="content"')[2]
    assert any(offer in permitted for offer in OFFERS)
    assert "You see only what belongs to your teams." in content
    assert "You see only" not in log_in(superuser).get(address).content.decode()


@pytest.mark.parametrize(("operation", "title"), [("sync", "Sync accounts"), ("update", "Update accounts")])
def test_a_confirmation_is_titled_with_the_operation(
    log_in: LogIn,
    alice: User,
    make_connection: MakeConnection,
    make_account: MakeAccount,
    operation: str,
    title: str,
) -> None:
    account = make_account(make_connection(alice))
    form = {"operation": operation, "account_ids": str(account.pk)}
    heading = (
        log_in(alice).post("/operations/", form).content.decode().partition("<h1")[2].partition("</h1>")[0]
    )
    assert f">{title}<" in heading
