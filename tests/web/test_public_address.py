"""Under a public https address everything goes over https, and only our own proxies are believed."""

import logging
import re
from collections.abc import Callable
from typing import Any

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse
from django.shortcuts import resolve_url
from django.test import Client, RequestFactory

from amazon_accounts.web.links import build_link
from amazon_accounts.web.requests import PublicAddressMiddleware

InProduction = Callable[..., None]
HOST = {"HTTP_HOST": "ads.example.com"}
OVER_HTTPS: dict[str, Any] = {**HOST, "HTTP_X_FORWARDED_PROTO": "https"}


@pytest.mark.parametrize(
    ("location", "link"),
    [
        ("/accounts/", "/accounts/"),
        ("?page=2", "/connections/?page=2"),
        ("", "/connections/"),
        ("/\u00e4/?q=a b", "/%C3%A4/?q=a%20b"),
    ],
)
def test_a_link_begins_with_the_public_address(location: str, link: str) -> None:
    assert build_link(location, base="/connections/") == settings.PUBLIC_URL + link


def test_links_of_libraries_begin_with_the_public_address() -> None:
    links = []

    def answer(request: HttpRequest) -> HttpResponse:
        links.extend(
            [
                request.build_absolute_uri(),
                request.build_absolute_uri("/x/"),
                request.build_absolute_uri("y/"),
            ]
        )
        return HttpResponse()

    PublicAddressMiddleware(answer)(
        RequestFactory().get("/a/", {"b": "c"}, HTTP_HOST="evil.example", HTTP_X_FORWARDED_PROTO="https")
    )
    assert links == [settings.PUBLIC_URL + path for path in ("/a/?b=c", "/x/", "/a/y/")]


@pytest.mark.parametrize(
    ("proxies", "headers"),
    [
        ("0", {}),
        ("0", {"HTTP_X_FORWARDED_PROTO": "https"}),
        ("1", {}),
        ("1", {"HTTP_X_FORWARDED_PROTO": "http"}),
        ("1", {"HTTP_X_FORWARDED_PROTO": "https, http"}),
        ("2", {"HTTP_X_FORWARDED_PROTO": "https, http, https"}),
    ],
)
def test_http_leads_to_the_public_address(
    client: Client, in_production: InProduction, proxies: str, headers: dict[str, str]
) -> None:
    in_production(NUM_PROXIES=proxies)
    response = client.get("/accounts/?status=active", **{**HOST, **headers})  # type: ignore[arg-type]
    assert response.status_code == 301
    assert response["Location"] == "https://ads.example.com/accounts/?status=active"
    assert "Strict-Transport-Security" not in response


def test_a_foreign_host_over_http_leads_to_the_public_address(
    client: Client, in_production: InProduction
) -> None:
    in_production(NUM_PROXIES="1")
    assert client.get("/", HTTP_HOST="evil.example")["Location"] == "https://ads.example.com/"


@pytest.mark.parametrize(
    ("proxies", "scheme"), [("1", "https"), ("1", "http,HTTPS"), ("2", "http, https, http"), ("3", "https")]
)
def test_https_is_believed_of_our_own_proxies(
    client: Client, db: None, in_production: InProduction, proxies: str, scheme: str
) -> None:
    in_production(NUM_PROXIES=proxies)
    response = client.get(resolve_url(settings.LOGIN_URL), **HOST, HTTP_X_FORWARDED_PROTO=scheme)  # type: ignore[arg-type]
    assert response.status_code == 200
    assert response["Strict-Transport-Security"] == "max-age=31536000; includeSubDomains"


def test_a_proxy_that_is_not_counted_is_named_in_the_log_once(
    client: Client, in_production: InProduction, caplog: pytest.LogCaptureFixture
) -> None:
    in_production(NUM_PROXIES="0")
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            client.get("/", **OVER_HTTPS)
    [warning] = [message for message in caplog.messages if "NUM_PROXIES" in message]
    assert warning.startswith("X-Forwarded-Proto is ignored, because NUM_PROXIES is 0.")


@pytest.mark.parametrize(("probe", "status"), [("/healthz", 200), ("/readyz", 200), ("/metrics", 403)])
def test_probes_are_never_redirected(
    client: Client, db: None, in_production: InProduction, probe: str, status: int
) -> None:
    in_production(NUM_PROXIES="1")
    assert client.get(probe, HTTP_HOST="10.1.2.3:8000").status_code == status


def test_cookies_are_kept_to_the_host_and_forms_still_work(db: None, in_production: InProduction) -> None:
    in_production(NUM_PROXIES="1")
    alice = User.objects.create_user("alice", password="correct horse", is_staff=True)
    client = Client(enforce_csrf_checks=True)
    login = resolve_url(settings.LOGIN_URL)
    page = client.get(login, **OVER_HTTPS).content.decode()
    [token] = set(re.findall(r'name="csrfmiddlewaretoken" value="(\w+)"', page))
    form = {"username": alice.username, "login": alice.username, "password": "correct horse"}
    from_here = {**OVER_HTTPS, "HTTP_ORIGIN": "https://ads.example.com"}
    assert client.post(login, form, **from_here).status_code == 403
    response = client.post(login, {**form, "csrfmiddlewaretoken": token}, **from_here)
    assert response.status_code == 302
    assert set(client.cookies) >= {"__Host-csrftoken", "__Host-sessionid"}
    for cookie in client.cookies.values():
        assert (cookie["secure"], cookie["httponly"], cookie["path"], cookie["domain"]) == (
            True,
            True,
            "/",
            "",
        )
    forged = {**from_here, "HTTP_ORIGIN": "https://evil.example"}
    assert client.post(login, {**form, "csrfmiddlewaretoken": token}, **forged).status_code == 403


def test_every_cookie_of_the_server_is_bound_to_the_host_and_hidden_from_scripts(
    db: None, in_production: InProduction
) -> None:
    in_production(NUM_PROXIES="1")
    client = Client()
    client.force_login(User.objects.create_superuser("root"))
    client.get("/accounts/?view=table", **OVER_HTTPS)
    # The redirect sets a message, which the next page shows.
    ended = client.post("/auth/sessions/end-keys/", **OVER_HTTPS, HTTP_ORIGIN="https://ads.example.com")
    assert ended.status_code == 303
    assert set(client.cookies) >= {"__Host-sessionid", "__Host-accounts-view", "__Host-messages"}
    for name in set(client.cookies) - {"__Host-sessionid"}:
        cookie = client.cookies[name]
        assert name.startswith("__Host-")
        assert (cookie["secure"], cookie["httponly"], cookie["samesite"]) == (True, True, "Lax")
        assert (cookie["path"], cookie["domain"]) == ("/", "")
    assert "0 API keys ended." in client.get("/admin/", **OVER_HTTPS, follow=True).content.decode()


def test_local_cookies_have_plain_names(client: Client, db: None) -> None:
    client.get(resolve_url(settings.LOGIN_URL))
    assert set(client.cookies) == {"csrftoken"}
    assert client.cookies["csrftoken"]["httponly"]
    assert not client.cookies["csrftoken"]["secure"]
