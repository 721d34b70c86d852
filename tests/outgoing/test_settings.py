"""The settings of the company's network, and the error of one line for each wrong value."""

from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured

from amazon_accounts.configuration.outgoing import DirectHost, Proxy, is_direct
from tests.outgoing.conftest import Company
from tests.test_settings import PRODUCTION
from tests.test_settings import settings_with as load_settings

settings_with = load_settings


@pytest.fixture(autouse=True)
def no_network_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTPS_PROXY", "NO_PROXY", "CA_BUNDLE", "EMAIL_URL"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(
    ("value", "proxy"),
    [
        ("http://proxy.example:3128", Proxy("http", "proxy.example", 3128)),
        ("HTTP://Proxy.Example:3128/", Proxy("http", "proxy.example", 3128)),
        ("proxy.example:3128", Proxy("http", "proxy.example", 3128)),
        ("https://proxy.example", Proxy("https", "proxy.example", 443)),
        ("http://[fd00::1]:3128", Proxy("http", "fd00::1", 3128)),
        ("http://me:p%40%3A%2F@10.0.0.1:3128", Proxy("http", "10.0.0.1", 3128, "me", "p@:/")),
    ],
)
def test_the_proxy_is_read_from_its_address(settings_with: Any, value: str, proxy: Proxy) -> None:
    assert settings_with(**PRODUCTION, HTTPS_PROXY=value)["HTTPS_PROXY"] == proxy


def test_no_proxy_is_used_without_the_setting(settings_with: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("https_proxy", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://proxy.example:3128")
    assert settings_with(**PRODUCTION, NO_PROXY="<local>")["HTTPS_PROXY"] is None


@pytest.mark.parametrize(
    "value",
    [
        "socks5://hunter2@proxy.example:1080",
        "http://",
        "http://:hunter2@proxy.example:3128",
        "http://me:hunter2@proxy.example:port",
        "http://me:hunter2@proxy.example:0",
        "http://me:hunter2@proxy.example:70000",
        "http://me:hunter2@proxy example:3128",
        "http://me:hunter2@proxy.example:3128/hunter2",
        "http://me:hunter2@proxy.example:3128?hunter2",
        "http://me:hunter2/@proxy.example:3128",
        "http://me:hunter2%0d%0aHost:x@proxy.example:3128",
        "http://m%3Ae:hunter2@proxy.example:3128",
        "http://[proxy:3128",
        "http://proxy..example:3128",
    ],
)
def test_a_malformed_proxy_is_refused_without_its_password(settings_with: Any, value: str) -> None:
    with pytest.raises(ImproperlyConfigured, match=r"^HTTPS_PROXY must be like [^\n]*$") as refusal:
        settings_with(**PRODUCTION, HTTPS_PROXY=value)
    assert "hunter2" not in str(refusal.value)
    assert refusal.value.__suppress_context__ or refusal.value.__context__ is None


def test_the_password_of_a_proxy_is_not_shown() -> None:
    proxy = Proxy("http", "proxy.example", 3128, "myself", "hunter2")
    assert str(proxy) == "proxy.example:3128"
    assert "hunter2" not in repr(proxy)
    assert "myself" not in repr(proxy)


def test_the_proxy_is_also_read_from_a_file(settings_with: Any, tmp_path: Path) -> None:
    path = tmp_path / "proxy"
    path.write_text("http://me:hunter2@proxy.example:3128\n")
    assert settings_with(**PRODUCTION, HTTPS_PROXY_FILE=str(path))["HTTPS_PROXY"].password == "hunter2"


@pytest.mark.parametrize(
    ("entry", "host", "port", "is_matched"),
    [
        ("mail.example", "mail.example", 587, True),
        ("mail.example", "MAIL.example.", 587, True),
        ("mail.example", "a.mail.example", 587, True),
        (".mail.example", "mail.example", 587, True),
        ("*.mail.example", "a.mail.example", 587, True),
        ("mail.example", "evilmail.example", 587, False),
        ("mail.example:465", "mail.example", 465, True),
        ("mail.example:465", "mail.example", 587, False),
        ("10.0.0.0/8", "10.1.2.3", 443, True),
        ("10.0.0.0/8", "11.1.2.3", 443, False),
        ("10.0.0.0/8", "ten.example", 443, False),
        ("10.1.2.3:443", "10.1.2.3", 443, True),
        ("fd00::/8", "[fd00::1]", 443, True),
        ("[fd00::1]:443", "fd00::1", 443, True),
        ("*", "amazon.example", 443, True),
    ],
)
def test_no_proxy_matches_names_with_subdomains_and_networks(
    settings_with: Any, entry: str, host: str, port: int, is_matched: bool
) -> None:
    settings = settings_with(**PRODUCTION, HTTPS_PROXY="proxy.example:3128", NO_PROXY=f"x.example, {entry}")
    assert is_direct(host, port, settings["NO_PROXY"]) is is_matched
    again = DirectHost.parse(str(settings["NO_PROXY"][1]))
    assert is_direct(host, port, [again]) is is_matched


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.9.9.9", "::1", "[::1]", "a.localhost"])
def test_this_machine_has_no_proxy(host: str) -> None:
    assert is_direct(host, 443, ())


@pytest.mark.parametrize(
    "value", ["10.*", "<local>", "http://mail.example", "mail.example/x", "a@b", "a:port"]
)
def test_an_entry_of_no_proxy_that_means_nothing_is_refused(settings_with: Any, value: str) -> None:
    with pytest.raises(ImproperlyConfigured, match=r"^NO_PROXY must be [^\n]*$"):
        settings_with(**PRODUCTION, HTTPS_PROXY="proxy.example:3128", NO_PROXY=f"mail.example,{value}")


def test_the_bundle_may_have_words_between_its_certificates(
    settings_with: Any, company: Company, tmp_path: Path
) -> None:
    path = tmp_path / "bundle.pem"
    path.write_bytes("# Bücher\n".encode() + company.bundle.read_bytes())
    assert settings_with(**PRODUCTION, CA_BUNDLE=str(path))["CA_BUNDLE"] == str(path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "CA_BUNDLE: the file cannot be read: No such file or directory."),
        (b"", "CA_BUNDLE: the file has no certificates in PEM form"),
        (b"\x30\x82\x01\x0a", "CA_BUNDLE: the file has no certificates in PEM form"),
        (
            b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
            "CA_BUNDLE: the file has no certificates in PEM form",
        ),
    ],
)
def test_a_useless_bundle_stops_the_start(
    settings_with: Any, tmp_path: Path, content: bytes | None, message: str
) -> None:
    path = tmp_path / "bundle.pem"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ImproperlyConfigured) as refusal:
        settings_with(**PRODUCTION, CA_BUNDLE=str(path))
    assert str(refusal.value).startswith(message)
    assert "\n" not in str(refusal.value)


def test_a_folder_is_no_bundle(settings_with: Any, tmp_path: Path) -> None:
    with pytest.raises(ImproperlyConfigured, match=r"^CA_BUNDLE: the file cannot be read: Is a directory\.$"):
        settings_with(**PRODUCTION, CA_BUNDLE=str(tmp_path))


@pytest.mark.parametrize("address", ["smtps://mail.example", "smtp://mail.example?tls=1"])
def test_mail_does_not_go_through_a_proxy_that_speaks_tls(settings_with: Any, address: str) -> None:
    given = {**PRODUCTION, "HTTPS_PROXY": "https://proxy.example", "EMAIL_URL": address}
    with pytest.raises(ImproperlyConfigured, match=r"^EMAIL_URL: mail cannot go through an https:// proxy"):
        settings_with(**given)
    assert settings_with(**given, NO_PROXY="mail.example")["EMAIL_HOST"] == "mail.example"
