"""A browser that goes to Amazon's consent page and comes back."""

import re
from html import unescape
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.contrib.auth.models import User
from django.contrib.messages import get_messages
from django.test import Client
from django.urls import reverse

from amazon_accounts.sandbox.state import Sandbox
from tests.public_url import browser_at_public_url

START = "/connect/amazon/"


def log_in(user: User, **options: Any) -> Client:
    client = browser_at_public_url(**options)
    client.force_login(user)
    return client


def begin(browser: Client, **data: Any) -> str:
    """Post the form; return the address that the page goes on to."""
    choices = data if "connection" in data else {"regions": ["NA", "EU", "FE"], **data}
    response = browser.post(START, choices)
    assert response.status_code == HTTPStatus.OK
    assert "no-store" in response["Cache-Control"]
    assert response["Referrer-Policy"] == "no-referrer"
    # The directives come in any order.
    assert "form-action 'self'" in response["Content-Security-Policy"].split("; ")
    page = response.content.decode()
    refresh = re.search(r'<meta http-equiv="refresh" content="0;url=([^"]+)">', page)
    link = re.search(r'<a href="([^"]+)" rel="noreferrer">Go on to Amazon</a>', page)
    assert refresh is not None
    assert link is not None
    assert refresh[1] == link[1]
    return unescape(link[1])


def come_back(browser: Client, address: str) -> str:
    """Follow Amazon's redirect; return the messages that the person sees."""
    parts = urlsplit(address)
    response = browser.get(f"{parts.path}?{parts.query}")
    assert response.status_code == HTTPStatus.FOUND
    assert response["Location"] == reverse("connections")
    assert "no-store" in response["Cache-Control"]
    assert response["Referrer-Policy"] == "strict-origin"
    return " ".join(str(message) for message in get_messages(response.wsgi_request))


def refuse(browser: Client, address: str, status: HTTPStatus, caplog: pytest.LogCaptureFixture) -> str:
    """Follow Amazon's redirect to a refusal, which one line of the log tells; return the page."""
    caplog.clear()
    parts = urlsplit(address)
    response = browser.get(f"{parts.path}?{parts.query}")
    assert response.status_code == status
    assert response["Referrer-Policy"] == "strict-origin"
    [line] = caplog.records
    assert "Refused an answer of Amazon's consent page" in line.getMessage()
    assert "code=" not in line.getMessage()
    return response.content.decode().replace("&#x27;", "'")


def connect(browser: Client, sandbox: Sandbox, login: str = "bob", **data: Any) -> str:
    return come_back(browser, sandbox.consent(begin(browser, **data), login))
