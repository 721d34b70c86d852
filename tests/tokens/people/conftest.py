"""Browsers in which alice is signed in."""

from collections.abc import Callable

import pytest
from django.contrib.auth.models import User
from django.test import Client

Browser = Callable[[], Client]


@pytest.fixture
def new_browser(alice: User) -> Browser:
    def sign_in() -> Client:
        browser = Client()
        browser.force_login(alice)
        return browser

    return sign_in


def is_signed_in(browser: Client) -> bool:
    return browser.get("/auth/sessions/").status_code == 200
