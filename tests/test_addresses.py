"""Addresses and hosts in settings are written as they are compared later, or refused in one line."""

from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured

from tests.test_settings import PRODUCTION
from tests.test_settings import settings_with as load_settings

settings_with = load_settings


@pytest.fixture(autouse=True)
def no_origins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CSRF_TRUSTED_ORIGINS", raising=False)


@pytest.mark.parametrize(
    ("name", "value", "stored"),
    [
        ("PUBLIC_URL", "https://ads.example.com./", "https://ads.example.com"),
        ("PUBLIC_URL", "https://ADS.example.com:443?", "https://ads.example.com"),
        ("AMAZON_ADS_API_URL", "HTTPS://Amazon.Example/{region}/Api/", "https://amazon.example/{region}/Api"),
        ("AMAZON_LWA_URL", "https://{region}.amazon.example:8443", "https://{region}.amazon.example:8443"),
        ("AMAZON_LWA_URL", "https://[::1]/x", "https://[::1]/x"),
    ],
)
def test_an_address_is_normalized(settings_with: Any, name: str, value: str, stored: str) -> None:
    assert settings_with(**{**PRODUCTION, name: value})[name] == stored


def test_a_host_is_allowed_as_django_compares_it(settings_with: Any) -> None:
    settings = settings_with(**{**PRODUCTION, "ALLOWED_HOSTS": "Ads.Example.COM., .example.net"})
    assert settings["ALLOWED_HOSTS"] == ["ads.example.com", ".example.net", "ads.example.com"]


def test_an_origin_is_trusted_as_browsers_send_it(settings_with: Any) -> None:
    given = "HTTPS://Intranet.example.com:443/, https://*.Example.org, http://10.0.0.1:8080"
    settings = settings_with(**PRODUCTION, CSRF_TRUSTED_ORIGINS=given)
    assert settings["CSRF_TRUSTED_ORIGINS"] == [
        "https://ads.example.com",
        "https://intranet.example.com",
        "https://*.example.org",
        "http://10.0.0.1:8080",
    ]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PUBLIC_URL", "https://ads.example.com:0"),
        ("PUBLIC_URL", "https://*.example.com"),
        ("PUBLIC_URL", "https://ads..example.com"),
        ("PUBLIC_URL", "https://-"),
        ("CSRF_TRUSTED_ORIGINS", "intranet.example.com"),
        ("CSRF_TRUSTED_ORIGINS", "https://ads.example.com,https://me:hunter2@x.example.com"),
        ("CSRF_TRUSTED_ORIGINS", "https://x.example.com/path"),
        ("CSRF_TRUSTED_ORIGINS", "https://*"),
        ("CSRF_TRUSTED_ORIGINS", "https://[broken"),
        ("ALLOWED_HOSTS", "*.example.com"),
        ("ALLOWED_HOSTS", "ads.example.com/path"),
        ("AMAZON_ADS_API_URL", "https://[broken"),
        ("AMAZON_ADS_API_URL", "https://amazon.example:port"),
        ("AMAZON_ADS_API_URL", "https://me:hunter2@amazon.example"),
        ("AMAZON_ADS_API_URL", "https://amazon.example?hunter2"),
        ("AMAZON_LWA_URL", "https://amazon example"),
        ("AMAZON_LWA_URL", "https://"),
        ("DB_POOL_MIN_SIZE", "11"),
    ],
)
def test_what_cannot_be_meant_is_refused_in_one_line(settings_with: Any, name: str, value: str) -> None:
    with pytest.raises(ImproperlyConfigured, match=rf"^{name} must be [^\n]*$") as refusal:
        settings_with(**{**PRODUCTION, name: value})
    assert "hunter2" not in str(refusal.value)
    assert refusal.value.__suppress_context__ or refusal.value.__context__ is None


@pytest.mark.parametrize("name", ["AMAZON_LWA_URL", "AMAZON_ADS_API_URL"])
def test_http_in_capitals_is_unsafe_too(settings_with: Any, name: str) -> None:
    with pytest.raises(ImproperlyConfigured, match=f"^{name} is http"):
        settings_with(**{**PRODUCTION, name: "HTTP://amazon.example"})
