"""No request makes the console fail: headers, cookies and forms with whatever stands in them, for everybody.

Each refusal is a 4xx, changes nothing and has one line in the log.
"""

import logging
import re
from collections.abc import Iterator
from itertools import cycle
from typing import Any

import pytest
from django.conf import settings
from django.contrib import admin
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from procrastinate.contrib.django.models import ProcrastinateJob

from accounts.models import BatchOperation
from tests.dashboard.conftest import LogIn, MakeAccount, MakeConnection
from tests.dashboard.test_hostile_addresses import EXAMPLES, HOSTILE_VALUES, list_addresses, quote_all
from tests.dashboard.test_hostile_addresses import client as client_of_superuser
from tests.dashboard.test_hostile_addresses import ids as ids_of_another_person
from tokens.models import Connection

client, ids = client_of_superuser, ids_of_another_person

ADDRESSES = [
    "/",
    "/accounts/",
    "/admin/",
    "/admin/auth/user/",
    "/connect/amazon/",
    "/connect/amazon/callback/?state=x&code=y",
    "/auth/login/",
    "/auth/password/reset/",
    "/auth/2fa/",
    "/auth/sessions/",
    "/api/v1/accounts/",
    "/nowhere/",
    "/healthz",
    "/metrics",
]
HEADERS: list[dict[str, str]] = [
    {"Origin": "http://["},
    {"Origin": "null"},
    {"Origin": "\xff\xfe"},
    {"Referer": "http://["},
    {"HX-Request": "true", "HX-Current-URL": "http://["},
    {"HX-Request": "true", "HX-Current-URL-URI-AutoEncoded": "true", "HX-Current-URL": "%ff%00"},
    {"HX-Request": "true", "HX-Target": "\xff", "HX-Trigger-Name": "x" * 3000},
    {"Cookie": "sessionid=%00; csrftoken=\xff; known_browser=a:b:c; messages=x:y; zone=../../etc/passwd"},
    {"Cookie": "sessionid=" + "x" * 5000 + "; accounts-view=\xed\xa0\x80"},
    {"Cookie": '==;;=;"\\'},
    {"Accept-Language": "x" * 5000},
    {"Accept": "x/["},
    {"Authorization": "Token \xff\xfe"},
    {"Authorization": "Bearer " + "x" * 9000},
    {"Authorization": "Basic ="},
    {"X-Forwarded-For": "\xff, 1.2.3.4, ["},
    {"X-Forwarded-Host": "evil.example", "X-Forwarded-Proto": "https", "Forwarded": "host=evil.example"},
    {"Content-Type": "application/x-www-form-urlencoded; charset=utf-7"},
    {"If-None-Match": "\xff", "If-Modified-Since": "x", "If-Match": '"', "Range": "bytes=9-1"},
    {"Purpose": "\xff", "User-Agent": "\x1b[2J" + "x" * 3000},
]
HOSTILE_TEXTS = [value for value in HOSTILE_VALUES if len(value) < 1000]
HOSTILE_HOSTS = ["evil.example", "[", "a b", "loc\xe4l", "localhost/../evil", "x" * 3000, "@", "localhost:x"]


def check(response: Any, caplog: pytest.LogCaptureFixture, what: object) -> None:
    assert response.status_code < 500, what
    assert not [record for record in caplog.records if record.exc_info], what
    caplog.clear()


@pytest.mark.parametrize("who", ["superuser", "stranger"])
def test_no_header_is_answered_with_an_error_of_ours(
    client: Client, caplog: pytest.LogCaptureFixture, who: str
) -> None:
    session = client.cookies["sessionid"].value
    addresses = ADDRESSES if who == "stranger" else ["/operations/", "/connect/amazon/", "/api/v1/accounts/"]
    for headers in HEADERS:
        for address in addresses:
            browser = Client(raise_request_exception=False)
            if who == "superuser":
                browser.cookies["sessionid"] = session
            check(browser.get(address, headers=headers), caplog, (address, headers))


@pytest.mark.parametrize("address", ADDRESSES)
def test_a_foreign_host_is_refused_with_one_line_in_the_log(
    db: None, caplog: pytest.LogCaptureFixture, address: str
) -> None:
    browser = Client(raise_request_exception=False)
    expected = {200, 403} if address in {"/healthz", "/metrics"} else {400}
    for host in HOSTILE_HOSTS:
        caplog.clear()
        response = browser.get(address, headers={"Host": host})
        assert response.status_code in expected, host
        if expected == {400}:
            assert [record.name for record in caplog.records] == ["django.security.DisallowedHost"]


FORM = "application/x-www-form-urlencoded"
REFUSALS: dict[str, tuple[int, str, str, str]] = {
    "a form without its token": (403, "POST", "/operations/", "operation=sync"),
    "a login without its token": (403, "POST", "/auth/login/", "login=a"),
    "a method that is not taken": (405, "TRACE", "/accounts/", ""),
    "a page that is not there": (404, "GET", "/nowhere/", ""),
    "a page of the search": (400, "GET", "/admin/search/?s=a&extended=1&page=99999", ""),
    "a lookup": (400, "GET", "/admin/tokens/connection/?label__regex=(", ""),
    "a NUL": (400, "GET", "/accounts/?search=%00", ""),
    "a lone surrogate": (400, "GET", "/accounts/?search=%ED%A0%80", ""),
    "a lone surrogate in a name": (400, "GET", "/admin/auth/user/?%ED%A0%80=1", ""),
    "a lone surrogate of a sign-in": (400, "GET", "/auth/login/?next=%ED%A0%80", ""),
    "a NUL for the API": (400, "GET", "/api/v1/accounts/?search=%00", ""),
    "a lone surrogate for the API": (400, "GET", "/api/v1/accounts/?search=%ED%A0%80", ""),
    "an answer of no consent page": (400, "GET", "/connect/amazon/callback/?state=x&code=y", ""),
    "metrics for a proxy": (403, "GET", "/metrics", ""),
}


@pytest.mark.parametrize("refusal", REFUSALS)
def test_a_refusal_has_one_line_in_the_log(
    db: None, alice: User, caplog: pytest.LogCaptureFixture, refusal: str
) -> None:
    browser = Client(raise_request_exception=False, enforce_csrf_checks=True)
    browser.force_login(User.objects.create_superuser("root"))
    caplog.clear()
    status, method, address, form = REFUSALS[refusal]
    response = browser.generic(
        method, address, form, content_type=FORM, headers={"X-Forwarded-For": "192.0.2.1"}
    )
    assert response.status_code == status
    lines = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    assert len(lines) == 1, lines


BAD_VALUES: dict[str, tuple[int, str, dict[str, Any]]] = {
    "an unknown operation": (422, "/operations/", {"operation": "delete"}),
    "nothing selected": (422, "/operations/", {"operation": "sync"}),
    "no ids": (422, "/operations/", {"operation": "sync", "account_ids": "nonsense"}),
    "an unknown filter": (422, "/operations/", {"operation": "sync", "all": "1", "query": "a=b"}),
    "no label": (422, "/operations/", {"operation": "update", "account_ids": "{account}", "confirm": "1"}),
    "a key of too many characters": (
        422,
        "/operations/",
        {"operation": "sync", "account_ids": "{account}", "confirm": "1", "key": "x" * 300},
    ),
    "an unknown region": (422, "/connect/amazon/", {"regions": "XX"}),
    "an unknown connection": (404, "/connect/amazon/", {"regions": "EU", "connection": "7"}),
    "a label of too many characters": (
        422,
        "/connections/{connection}/update/",
        {"label": "x" * 201, "regions": "EU"},
    ),
    "an unknown session": (404, "/auth/sessions/end/", {"session": "7"}),
    "a marked row that cannot be": (
        404,
        "/admin/accounts/account/",
        {"action": "sync", "_selected_action": "7"},
    ),
    "no label in the admin": (
        422,
        "/admin/accounts/account/",
        {"action": "update_labels", "_selected_action": "{account}", "apply": "1"},
    ),
    "an unknown heir": (422, "/admin/auth/user/{owner}/erase/", {"heir": "0"}),
}


@pytest.mark.parametrize("refusal", BAD_VALUES)
def test_a_form_with_a_bad_value_is_refused_with_one_line_in_the_log(
    alice: User,
    make_connection: MakeConnection,
    make_account: MakeAccount,
    caplog: pytest.LogCaptureFixture,
    refusal: str,
) -> None:
    connection = make_connection(alice)
    account = make_account(connection, "A")
    names = {"connection": connection.pk, "account": account.pk, "owner": alice.pk}
    browser = Client(raise_request_exception=False)
    browser.force_login(User.objects.create_superuser("root"))
    caplog.clear()
    status, address, form = BAD_VALUES[refusal]
    filled = {name: value.format(**names) for name, value in form.items()}
    response = browser.post(address.format(**names), filled, headers={"Origin": settings.PUBLIC_URL})
    assert response.status_code == status
    lines = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert len(lines) == 1, lines
    assert not lines[0].exc_info
    assert not BatchOperation.objects.exists()
    assert Connection.objects.get().label == connection.label
    assert User.objects.filter(username="alice").exists()


@pytest.mark.parametrize("text", ["%ED%A0%80", "%FF", "a%00b", "\udcff"])
def test_a_form_that_is_no_text_is_refused(log_in: LogIn, alice: User, text: str) -> None:
    browser = log_in(alice)
    for form in (f"operation=sync&all=1&reason={text}", f"operation=sync&all=1&{text}=a"):
        data = form.encode("utf-8", "surrogateescape")
        assert browser.post("/operations/", data, content_type=FORM).status_code == 400
    assert not BatchOperation.objects.exists()


@pytest.mark.parametrize("media_type", [FORM, "multipart/form-data; boundary=x"])
def test_a_form_in_another_charset_is_refused(log_in: LogIn, alice: User, media_type: str) -> None:
    body = part("operation", b"sync") + b"--x--\r\n" if "x" in media_type[-1:] else b"operation=sync&all=1"
    response = log_in(alice).post("/operations/", body, content_type=f"{media_type}; charset=latin-1")
    assert response.status_code == 400


@pytest.mark.parametrize("text", [b"\xed\xa0\x80", b"\xff", b"a\0b"])
def test_a_form_of_parts_that_is_no_text_is_refused(log_in: LogIn, alice: User, text: bytes) -> None:
    body = b"".join([part("operation", b"sync"), part("all", b"1"), part("reason", text), b"--x--\r\n"])
    response = log_in(alice).post("/operations/", body, content_type="multipart/form-data; boundary=x")
    assert response.status_code == 400
    assert not BatchOperation.objects.exists()


def part(name: str, value: bytes) -> bytes:
    head = f'--x\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n'
    return head.encode() + value + b"\r\n"


def test_the_sign_for_broken_text_is_text(log_in: LogIn, alice: User) -> None:
    # A name of Amazon may contain it, and people search for what they see.
    browser = log_in(alice)
    assert browser.get("/accounts/", {"search": "\ufffd"}).status_code == 200
    form = f"operation={quote_all(chr(0xFFFD))}"
    assert browser.post("/operations/", form, content_type=FORM).status_code == 422


@pytest.mark.slow
def test_no_form_is_answered_with_an_error_of_ours(
    client: Client, ids: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    before = Connection.objects.values("pk", "label", "regions", "state").get()
    values = cycle(HOSTILE_TEXTS)
    for address, names in find_forms(client, ids):
        for name in [*names, ""][:EXAMPLES]:
            # One field alone, and all fields at once.
            text = quote_all(next(values))
            body = "&".join(f"{quote_all(field)}={text}" for field in ([name] if name else names))
            response = client.post(address, body, content_type=FORM)
            check(response, caplog, (address, body))
    assert Connection.objects.values("pk", "label", "regions", "state").get() == before
    assert User.objects.filter(is_superuser=True).count() == 1


OPEN_FORMS = {
    "/auth/login/": ["login", "password", "next", "remember"],
    "/auth/password/reset/": ["email"],
    "/auth/2fa/webauthn/login/": ["credential"],
    "/auth/2fa/authenticate/": ["code", "credential"],
    "/auth/reauthenticate/": ["password"],
    "/auth/password/reset/key/1-set-password/": ["password1", "password2"],
    "/auth/password/reset/key/zzzzzzzzzzzzz-abc/": ["password1"],
    f"/auth/password/reset/key/{'z' * 200}-{'x' * 200}/": ["password1"],
    "/auth/invitation/": ["key"],
    "/auth/invitation/login/": ["username", "password1", "password2"],
    "/auth/logout/": ["next"],
    "/auth/oidc/callback/": ["state", "code", "error", "error_description"],
    "/admin/login/": ["username", "next"],
    "/connect/amazon/": ["connection", "label", "regions"],
}


def test_no_form_of_a_stranger_is_answered_with_an_error_of_ours(
    db: None, caplog: pytest.LogCaptureFixture, settings: Any
) -> None:
    # A port on which nothing listens.
    settings.OIDC_SERVER_URL = "http://127.0.0.1:9"
    settings.OIDC_CLIENT_ID, settings.OIDC_CLIENT_SECRET = "console", "secret"
    browser = Client(raise_request_exception=False)
    for address, names in OPEN_FORMS.items():
        for number, value in enumerate(HOSTILE_TEXTS[::3]):
            text = quote_all(value)
            body = "&".join(f"{name}={text}" for name in names)
            sender = f"203.0.113.{number}"
            check(browser.post(address, body, FORM, REMOTE_ADDR=sender), caplog, (address, value))
            check(browser.get(f"{address}?{body}", REMOTE_ADDR=sender), caplog, (address, value))
    assert not User.objects.exists()
    assert not ProcrastinateJob.objects.exists()


def find_forms(client: Client, ids: dict[str, str]) -> Iterator[tuple[str, list[str]]]:
    """Yield the addresses that take a form, with its fields."""
    adding = [
        reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_add")
        for model in admin.site._registry
    ]
    for address in [*list_addresses(ids), *adding]:
        # They would do what they say, without a field.
        if re.search("logout|disconnect|forget|/end|/cancel/", address):
            continue
        # Some forms end the session.
        client.force_login(User.objects.get(username="root"))
        if client.post(address).status_code in {403, 404, 405}:
            continue
        page = client.get(address)
        text = "" if page.streaming else page.content.decode(errors="replace")
        names = set(re.findall(r'<(?:input|select|textarea)[^>]* name="([^"]+)"', text))
        yield address, sorted(names - {"csrfmiddlewaretoken"}) or ["x"]
