"""What browsers and proxies are told about answers, and what error pages hide."""

import os
import subprocess
import sys
from typing import Any

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.shortcuts import resolve_url
from django.test import Client
from django.test.client import RequestFactory
from django.views.debug import ExceptionReporter

from amazon_accounts.configuration.environment import SECRET_NAMES
from amazon_accounts.web.error_pages import SecretFilter
from tests.processes import PROJECT
from tests.test_settings import PRODUCTION

PUBLIC = ["/static/dashboard/zone.js", "/healthz", "/metrics"]
PRIVATE = ["/", "/accounts/", "/nothing/", "/admin/", "/api/v1/accounts/", "/api/v1/schema/", "/api/nothing/"]


@pytest.fixture
def browser(client: Client, db: None) -> Client:
    client.force_login(User.objects.create_superuser("root", "", "x"))
    return client


@pytest.mark.parametrize("address", [*PUBLIC, *PRIVATE])
def test_every_answer_is_closed_to_other_sites(browser: Client, address: str) -> None:
    response = browser.get(address)
    assert response["Cross-Origin-Resource-Policy"] == "same-origin"
    assert response["Cross-Origin-Opener-Policy"] == "same-origin"
    assert response["Referrer-Policy"] == "same-origin"
    assert response["X-Content-Type-Options"] == "nosniff"
    assert "camera=()" in response["Permissions-Policy"]


@pytest.mark.parametrize("address", PRIVATE)
def test_private_answers_are_stored_nowhere(browser: Client, address: str) -> None:
    assert "no-store" in browser.get(address)["Cache-Control"]


def test_the_login_is_stored_nowhere(client: Client, db: None) -> None:
    assert "no-store" in client.get(resolve_url(settings.LOGIN_URL))["Cache-Control"]


def test_static_files_may_be_stored(client: Client) -> None:
    assert "no-store" not in client.get("/static/dashboard/zone.js").get("Cache-Control", "")


@pytest.fixture
def error_page(settings: Any) -> str:
    """Django's page about an error, with DEBUG on and every secret setting given."""
    settings.DEBUG = True
    for name in SECRET_NAMES:
        setattr(settings, name, "hunter2")
    settings.EMAIL_HOST_USER = settings.EMAIL_HOST_PASSWORD = "hunter2"
    request = RequestFactory().get("/")
    request.META.update(dict.fromkeys(SECRET_NAMES, "hunter2"))
    request.COOKIES[settings.SESSION_COOKIE_NAME] = "hunter2"
    itself: dict[str, Any] = {"password": "hunter2"}
    itself["itself"] = itself
    try:
        _fail({"user": "u", "password": "hunter2"}, "hunter2", itself)
    except LookupError as error:
        return ExceptionReporter(request, type(error), error, error.__traceback__).get_traceback_html()
    raise AssertionError


def _fail(parameters: dict[str, Any], client_secret: str, itself: dict[str, Any]) -> None:
    raise LookupError("something else")


def test_error_pages_hide_every_secret_setting(error_page: str) -> None:
    assert "something else" in error_page
    assert "PUBLIC_URL" in error_page
    assert {
        "ALERT_URLS",
        "DATABASE_URL",
        "EMAIL_URL",
        "METRICS_TOKEN",
        "TOKEN_ENCRYPTION_KEYS",
    } <= SECRET_NAMES
    # The source of this test is on the page too.
    shown = [
        line for line in error_page.splitlines() if "hunter2" in line and "&quot;hunter2&quot;" not in line
    ]
    assert shown == []


def test_error_pages_hide_the_database(settings: Any) -> None:
    shown = SecretFilter().get_safe_settings()
    assert shown["DATABASES"] == shown["EMAIL_HOST"] == SecretFilter.cleansed_substitute
    assert shown["PUBLIC_URL"] == settings.PUBLIC_URL


@pytest.mark.slow
def test_the_deployment_check_has_nothing_to_say() -> None:
    arguments = ["check", "--deploy", "--fail-level", "DEBUG"]
    done = subprocess.run(
        [sys.executable, "-W", "error", PROJECT / "manage.py", *arguments],
        env={**PRODUCTION, "PATH": os.environ["PATH"], "NUM_PROXIES": "1"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "no issues" in done.stdout
