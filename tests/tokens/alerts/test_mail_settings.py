"""The settings of the mail server and of the sender."""

from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured

from tests.test_settings import PRODUCTION
from tests.test_settings import settings_with as load_settings

settings_with = load_settings


@pytest.fixture(autouse=True)
def no_mail_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("EMAIL_URL", "DEFAULT_FROM_EMAIL"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(
    ("address", "server"),
    [
        ("", ("localhost", 25, "", "", False, False)),
        ("smtp://mail.example", ("mail.example", 25, "", "", False, False)),
        ("smtp://mail.example?tls=1", ("mail.example", 587, "", "", True, False)),
        (
            "smtp://me%40here.example:p%2Fw%25@mail.example:2525?tls=1",
            ("mail.example", 2525, "me@here.example", "p/w%", True, False),
        ),
        ("smtps://me:pw@mail.example/", ("mail.example", 465, "me", "pw", False, True)),
        ("smtp://me:pw@[::1]:26?tls=0", ("::1", 26, "me", "pw", False, False)),
    ],
)
def test_one_address_configures_the_mail_server(
    settings_with: Any, address: str, server: tuple[str, int, str, str, bool, bool]
) -> None:
    settings = settings_with(**PRODUCTION, EMAIL_URL=address)
    names = ["HOST", "PORT", "HOST_USER", "HOST_PASSWORD", "USE_TLS", "USE_SSL"]
    assert tuple(settings[f"EMAIL_{name}"] for name in names) == server
    assert settings["EMAIL_TIMEOUT"] == 20


def test_the_sender_is_at_the_public_host_unless_it_is_set(settings_with: Any) -> None:
    settings = settings_with(**PRODUCTION)
    assert settings["DEFAULT_FROM_EMAIL"] == "Amazon Accounts <amazon-accounts@ads.example.com>"
    settings = settings_with(**PRODUCTION, DEFAULT_FROM_EMAIL="Ads <ads@example.com>")
    assert settings["DEFAULT_FROM_EMAIL"] == "Ads <ads@example.com>"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("EMAIL_URL", "mail.example"),
        ("EMAIL_URL", "http://user:hunter2@mail.example"),
        ("EMAIL_URL", "smtp://"),
        ("EMAIL_URL", "smtp://user:hunter2@"),
        ("EMAIL_URL", "smtp://user:hunter2@mail.example:port"),
        ("EMAIL_URL", "smtp://user:hunter2@mail.example:0"),
        ("EMAIL_URL", "smtp://user:hunter2@[mail.example"),
        ("EMAIL_URL", "smtp://hunter2@mail.example"),
        ("EMAIL_URL", "smtp://user:hunter2@mail.example/hunter2"),
        ("EMAIL_URL", "smtp://user:hunter2/@mail.example"),
        ("EMAIL_URL", "smtp://user:hunter2#@mail.example"),
        ("EMAIL_URL", "smtp://user:hunter2@mail.example?tls"),
        ("EMAIL_URL", "smtp://user:hunter2@mail.example?tls=hunter2"),
        ("EMAIL_URL", "smtp://user:hunter2@mail.example?tls=1&ssl=1"),
        ("EMAIL_URL", "smtps://user:hunter2@mail.example?tls=1"),
        ("DEFAULT_FROM_EMAIL", "alerts"),
        ("DEFAULT_FROM_EMAIL", "Alerts <alerts@>"),
        ("DEFAULT_FROM_EMAIL", "Alerts <alerts@example.com>\nBcc: x@example.com"),
    ],
)
def test_a_bad_mail_setting_is_a_one_line_error_without_the_password(
    settings_with: Any, name: str, value: str
) -> None:
    with pytest.raises(ImproperlyConfigured, match=f"^{name} must be") as refusal:
        settings_with(**PRODUCTION, **{name: value})
    message = str(refusal.value)
    assert "\n" not in message
    assert "hunter2" not in message
    assert refusal.value.__suppress_context__ or refusal.value.__context__ is None
