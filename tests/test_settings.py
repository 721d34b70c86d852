"""The settings that the environment gives, and the error for each wrong value."""

import os
import runpy
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet
from django.core.exceptions import ImproperlyConfigured

from amazon_accounts.configuration.single_sign_on import ROLES
from tokens.people.roles import Role

SETTINGS = Path(__file__).parents[1] / "amazon_accounts" / "settings.py"
PRODUCTION = {
    "DATABASE_URL": "postgresql://user:password@db.example:5432/accounts",
    "SECRET_KEY": "a-key-for-a-test-of-settings-with-0123456789-characters",
    "TOKEN_ENCRYPTION_KEYS": Fernet.generate_key().decode(),
    "AMAZON_CLIENT_ID": "amzn1.application-oa2-client.0123456789abcdef0123456789abcdef",
    "AMAZON_CLIENT_SECRET": "a-secret-for-a-test",
    "ALLOWED_HOSTS": "ads.example.com",
    "PUBLIC_URL": "https://ads.example.com",
}
SINGLE_SIGN_ON = {
    "OIDC_SERVER_URL": "https://login.example.com/realm",
    "OIDC_CLIENT_ID": "console",
    "OIDC_CLIENT_SECRET": "a-secret-of-the-provider",
}


@pytest.fixture
def settings_with(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """A function that reads settings.py under the given environment variables and returns its names."""
    others = (
        "DEBUG",
        "INSECURE",
        "PORT",
        "SANDBOX_PORT",
        "AMAZON_ADS_API_URL",
        "AMAZON_LWA_URL",
        "EMAIL_URL",
        "ALERT_URLS",
        "OIDC_ONLY",
        "OIDC_GROUPS_CLAIM",
        "OIDC_TEAM_ROLES",
    )
    for name in (*PRODUCTION, *SINGLE_SIGN_ON, *others):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("DATA_DIR", str(tmp_path))

    def load(**environment: str) -> dict[str, Any]:
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        return runpy.run_path(str(SETTINGS))

    return load


def test_local_mode_talks_to_the_sandbox(settings_with: Any) -> None:
    settings = settings_with(PORT="9000")
    assert settings["LOCAL_MODE"]
    assert settings["USES_SANDBOX"]
    assert settings["AMAZON_ADS_API_URL"] == "http://127.0.0.1:9001/{region}/api"
    assert settings["AMAZON_LWA_URL"] == "http://127.0.0.1:9001/{region}"
    assert settings["PUBLIC_URL"] == "http://localhost:9000"
    assert settings["DEBUG"] is False


def test_local_mode_keeps_its_secrets(settings_with: Any) -> None:
    first, second = settings_with(), settings_with()
    assert first["SECRET_KEY"] == second["SECRET_KEY"]
    assert first["TOKEN_ENCRYPTION_KEYS"] == second["TOKEN_ENCRYPTION_KEYS"]


def test_a_client_id_turns_the_sandbox_off(settings_with: Any) -> None:
    settings = settings_with(AMAZON_CLIENT_ID="amzn1.application-oa2-client.0", AMAZON_CLIENT_SECRET="s")
    assert not settings["USES_SANDBOX"]
    assert settings["AMAZON_ADS_API_URL"] == ""


def test_production_uses_the_given_settings(settings_with: Any) -> None:
    settings = settings_with(**PRODUCTION)
    assert not settings["LOCAL_MODE"]
    assert settings["DATABASES"]["default"]["HOST"] == "db.example"
    assert settings["DATABASES"]["default"]["OPTIONS"]["pool"]["max_size"] == 10
    assert settings["SESSION_COOKIE_SECURE"]


@pytest.mark.parametrize("missing", [name for name in PRODUCTION if name != "DATABASE_URL"])
def test_production_names_a_missing_setting(settings_with: Any, missing: str) -> None:
    with pytest.raises(ImproperlyConfigured, match=missing):
        settings_with(**{**PRODUCTION, missing: ""})


def test_production_names_an_empty_list(settings_with: Any) -> None:
    with pytest.raises(ImproperlyConfigured, match="TOKEN_ENCRYPTION_KEYS"):
        settings_with(**{**PRODUCTION, "TOKEN_ENCRYPTION_KEYS": ","})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PORT", "eighty"),
        ("PORT", "0"),
        ("PORT", "70000"),
        ("PORT", "80.5"),
        ("DEBUG", "maybe"),
        ("AMAZON_BURST", "-1"),
        ("AMAZON_REQUESTS_PER_SECOND", "nan"),
        ("CONSENT_EFFECTIVE_DATE", "30.07.2026"),
        ("PUBLIC_URL", "localhost"),
        ("PUBLIC_URL", "https://user:hunter2@ads.example.com"),
        ("PUBLIC_URL", "https://ads.example.com/console"),
        ("PUBLIC_URL", "https://ads.example.com/?a=b"),
        ("PUBLIC_URL", "https://ads.example.com:port"),
        ("ALLOWED_HOSTS", "https://ads.example.com"),
        ("ALLOWED_HOSTS", "ads.example.com:8000"),
        ("AMAZON_ADS_API_URL", "ftp://amazon"),
        ("AMAZON_ADS_API_URL", "http://host/{Region}"),
        ("TOKEN_ENCRYPTION_KEYS", "not-a-key"),
        ("DATABASE_URL", "no address"),
        ("DATABASE_URL", "mysql://user:hunter2@host/name"),
        ("DATABASE_URL", "postgresql://user:hunter2@host:port/name"),
        ("AMAZON_CLIENT_ID", "an id without a secret"),
    ],
)
def test_a_wrong_value_is_reported_in_one_line(settings_with: Any, name: str, value: str) -> None:
    with pytest.raises(ImproperlyConfigured) as refusal:
        settings_with(**{**({"DATABASE_URL": ""} if name != "DATABASE_URL" else PRODUCTION), name: value})
    message = str(refusal.value)
    assert name in message or "AMAZON_CLIENT_SECRET" in message
    assert "\n" not in message
    assert "hunter2" not in message


@pytest.mark.parametrize(
    ("address", "host", "port", "is_ssl", "is_tls"),
    [
        ("smtp://mail.example", "mail.example", 25, False, False),
        ("smtp://user:p%40ss@mail.example?tls=1", "mail.example", 587, False, True),
        ("smtps://user:p%40ss@mail.example", "mail.example", 465, True, False),
        ("smtp://mail.example:2525", "mail.example", 2525, False, False),
    ],
)
def test_the_mail_server_is_read_from_its_address(
    settings_with: Any, address: str, host: str, port: int, is_ssl: bool, is_tls: bool
) -> None:
    settings = settings_with(EMAIL_URL=address)
    assert (settings["EMAIL_HOST"], settings["EMAIL_PORT"]) == (host, port)
    assert (settings["EMAIL_USE_SSL"], settings["EMAIL_USE_TLS"]) == (is_ssl, is_tls)
    assert settings["EMAIL_HOST_PASSWORD"] == ("p@ss" if "@" in address else "")


@pytest.mark.parametrize(
    "address",
    [
        "http://hunter2@mail.example",
        "smtp://hunter2@mail.example",
        "smtp://user:hunter2@mail.example/path",
        "smtp://user:hunter2@mail.example:0",
        "smtp://user:hunter2@mail.example:port",
        "smtps://user:hunter2@mail.example?tls=1",
        "smtp://user:hunter2@",
    ],
)
def test_a_malformed_mail_server_is_reported_without_its_password(settings_with: Any, address: str) -> None:
    with pytest.raises(ImproperlyConfigured, match=r"^EMAIL_URL must be like") as refusal:
        settings_with(EMAIL_URL=address)
    assert "hunter2" not in str(refusal.value)


@pytest.mark.parametrize("sender", ["nobody", "a@b\nBcc: c@d", "<a@b", "Name a@b"])
def test_a_malformed_sender_is_refused(settings_with: Any, sender: str) -> None:
    with pytest.raises(ImproperlyConfigured, match=r"^DEFAULT_FROM_EMAIL must be"):
        settings_with(DEFAULT_FROM_EMAIL=sender)


@pytest.mark.parametrize(
    ("given", "origin"),
    [
        ("HTTPS://Ads.Example.COM/", "https://ads.example.com"),
        ("https://ads.example.com:443", "https://ads.example.com"),
        ("http://localhost:80", "http://localhost"),
        ("http://[::1]:8000", "http://[::1]:8000"),
        ("https://b\u00fccher.example", "https://xn--bcher-kva.example"),
    ],
)
def test_the_public_address_is_written_as_browsers_write_it(
    settings_with: Any, given: str, origin: str
) -> None:
    assert settings_with(PUBLIC_URL=given)["PUBLIC_URL"] == origin


SECRETS = [
    "DATABASE_URL",
    "SECRET_KEY",
    "TOKEN_ENCRYPTION_KEYS",
    "AMAZON_CLIENT_SECRET",
    "EMAIL_URL",
    "METRICS_TOKEN",
    "OIDC_CLIENT_SECRET",
    "SENTRY_DSN",
]
ALL_GIVEN = {
    **PRODUCTION,
    **SINGLE_SIGN_ON,
    "EMAIL_URL": "smtps://user:hunter2@mail.example",
    "METRICS_TOKEN": "a-metrics-token",
    "SENTRY_DSN": "https://abc@sentry.example/1",
}


def test_every_secret_is_also_read_from_a_file(settings_with: Any, tmp_path: Path) -> None:
    expected = settings_with(**ALL_GIVEN, ALERT_URLS="json://a.example,json://b.example")
    files = {"OIDC_SERVER_URL": SINGLE_SIGN_ON["OIDC_SERVER_URL"], "OIDC_CLIENT_ID": "console"}
    for name in SECRETS:
        (tmp_path / name).write_text(ALL_GIVEN[name] + "\r\n")
        files[f"{name}_FILE"] = str(tmp_path / name)
    (tmp_path / "ALERT_URLS").write_text("json://a.example\njson://b.example\n")
    files["ALERT_URLS_FILE"] = str(tmp_path / "ALERT_URLS")
    settings = settings_with(**dict.fromkeys([*SECRETS, "ALERT_URLS"], ""), **files)
    for name in (
        "LOCAL_MODE",
        "SECRET_KEY",
        "TOKEN_ENCRYPTION_KEYS",
        "AMAZON_CLIENT_SECRET",
        "ALERT_URLS",
        "METRICS_TOKEN",
        "EMAIL_HOST_PASSWORD",
        "OIDC_CLIENT_SECRET",
        "SENTRY_DSN",
    ):
        assert settings[name] == expected[name], name
    assert settings["DATABASES"]["default"]["HOST"] == "db.example"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "AMAZON_CLIENT_SECRET_FILE: the file cannot be read: No such file or directory"),
        (b"", "AMAZON_CLIENT_SECRET_FILE: the file is empty"),
        (b"hunter2\xff", "AMAZON_CLIENT_SECRET_FILE: the file is not UTF-8"),
        (b"hunter2\nhunter2", "AMAZON_CLIENT_SECRET has more than one line"),
        (b"hunter2\0", "AMAZON_CLIENT_SECRET_FILE: the file contains a NUL"),
        (b"hunter2" * 10_000, "AMAZON_CLIENT_SECRET_FILE: the file is larger"),
    ],
)
def test_a_useless_secret_file_is_named_without_its_content(
    settings_with: Any, tmp_path: Path, content: bytes | None, message: str
) -> None:
    path = tmp_path / "secret"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ImproperlyConfigured) as refusal:
        settings_with(**{**PRODUCTION, "AMAZON_CLIENT_SECRET": "", "AMAZON_CLIENT_SECRET_FILE": str(path)})
    assert str(refusal.value).startswith(message)
    assert "hunter2" not in str(refusal.value)


def test_a_secret_and_its_file_are_not_given_both(settings_with: Any, tmp_path: Path) -> None:
    with pytest.raises(ImproperlyConfigured, match=r"^SECRET_KEY and SECRET_KEY_FILE are both given"):
        settings_with(**PRODUCTION, SECRET_KEY_FILE=str(tmp_path / "secret"))


UNSAFE = [
    ("SECRET_KEY", "short"),
    ("SECRET_KEY", "ab" * 40),
    ("SECRET_KEY", "django-insecure-0123456789-0123456789-abcdefghijklmnopqrstuvwxyz"),
    ("DEBUG", "1"),
    ("ALLOWED_HOSTS", "ads.example.com,*"),
    ("PUBLIC_URL", "http://ads.example.com"),
    ("AMAZON_LWA_URL", "http://amazon.example"),
    ("AMAZON_ADS_API_URL", "http://{region}.amazon.example"),
]


@pytest.mark.parametrize(("name", "value"), UNSAFE)
def test_production_refuses_an_unsafe_setting_in_one_line(settings_with: Any, name: str, value: str) -> None:
    unsafe = {**PRODUCTION, name: value}
    with pytest.raises(ImproperlyConfigured) as refusal:
        settings_with(**unsafe)
    line, hint = str(refusal.value).split("\n")
    assert line.startswith(f"{name} ")
    assert hint == "INSECURE=1 starts production in spite of unsafe settings."
    assert value == "1" or value not in line
    assert settings_with(**unsafe, INSECURE="1")["LOCAL_MODE"] is False


@pytest.mark.parametrize(
    "program", [["manage.py", "runworker"], ["-m", "amazon_accounts.server", "--port", "9"]]
)
def test_all_unsafe_settings_are_named_at_once_and_end_the_start(program: list[str]) -> None:
    environment = {**PRODUCTION, **dict(UNSAFE), "PATH": os.environ["PATH"]}
    done = subprocess.run(
        [sys.executable, *program],
        cwd=SETTINGS.parents[1],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1
    assert done.stdout == ""
    assert len(done.stderr.splitlines()) == 7
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("given", ["", "/", "/.well-known/openid-configuration"])
def test_the_provider_is_named_by_its_address_or_by_its_document(settings_with: Any, given: str) -> None:
    address = SINGLE_SIGN_ON["OIDC_SERVER_URL"]
    settings = settings_with(**{**SINGLE_SIGN_ON, "OIDC_SERVER_URL": address + given})
    assert settings["OIDC_SERVER_URL"] == address
    assert settings["OIDC_ONLY"] is False


@pytest.mark.parametrize("missing", SINGLE_SIGN_ON)
def test_half_a_provider_is_refused_in_one_line(settings_with: Any, missing: str) -> None:
    with pytest.raises(ImproperlyConfigured, match=rf"^{missing} is missing: single sign-on needs .*\.$"):
        settings_with(**{**SINGLE_SIGN_ON, missing: ""})


def test_single_sign_on_only_needs_a_provider(settings_with: Any) -> None:
    message = (
        r"^OIDC_ONLY is on, but OIDC_SERVER_URL, OIDC_CLIENT_ID, OIDC_CLIENT_SECRET are missing: "
        r"nobody could sign in\.$"
    )
    with pytest.raises(ImproperlyConfigured, match=message):
        settings_with(OIDC_ONLY="1")
    assert settings_with(**SINGLE_SIGN_ON, OIDC_ONLY="1")["OIDC_ONLY"] is True


@pytest.mark.parametrize(
    "value",
    [
        "sso.example.com",
        "ftp://login.example.com",
        "https://user:hunter2@login.example.com",
        "https://login.example.com/?hunter2",
        "https://login.example.com/#hunter2",
        "https://login.example.com:port",
        "https://login.example.com/a b",
        "https://[login",
        "https://login.example.com/" + "x" * 200,
    ],
)
def test_a_malformed_provider_is_reported_without_its_value(settings_with: Any, value: str) -> None:
    with pytest.raises(ImproperlyConfigured, match=r"^OIDC_SERVER_URL must be an address like ") as refusal:
        settings_with(**{**SINGLE_SIGN_ON, "OIDC_SERVER_URL": value})
    assert value not in str(refusal.value)
    assert "hunter2" not in str(refusal.value)


def test_groups_of_the_provider_give_roles_in_teams(settings_with: Any) -> None:
    assert settings_with(**SINGLE_SIGN_ON)["OIDC_TEAM_ROLES"] == {}
    assert settings_with()["OIDC_GROUPS_CLAIM"] == "groups"
    given = '{"ads": {"team": " North ", "role": "viewer"}, "ads-boss": {"team": "North", "role": "administrator"}}'
    settings = settings_with(**SINGLE_SIGN_ON, OIDC_TEAM_ROLES=given, OIDC_GROUPS_CLAIM="roles")
    assert settings["OIDC_TEAM_ROLES"] == {"ads": ("North", "viewer"), "ads-boss": ("North", "administrator")}
    assert settings["OIDC_GROUPS_CLAIM"] == "roles"


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ("{", "is not JSON"),
        ("[" * 100_000, "is not JSON"),
        (
            '{"a": {"team": "N", "role": "viewer"}, "a": {"team": "S", "role": "viewer"}}',
            "a name is there twice",
        ),
        ("[]", "must be like"),
        ('{"a": "North"}', "group 'a': it must be like"),
        ('{"a": {"team": "North"}}', "group 'a': it must be like"),
        ('{"a": {"team": "North", "role": "viewer", "more": 1}}', "group 'a': it must be like"),
        ('{"a": {"team": " ", "role": "viewer"}}', "group 'a': the team must be the name of a team"),
        ('{"a": {"team": ["North"], "role": "viewer"}}', "group 'a': the team must be the name of a team"),
        (
            '{"a": {"team": "North", "role": "owner"}}',
            "group 'a': the role must be one of viewer, operator, ",
        ),
        ('{"a": {"team": "North", "role": ["viewer"]}}', "group 'a': the role must be one of"),
    ],
)
def test_a_wrong_role_of_a_group_is_refused_in_one_line(settings_with: Any, value: str, why: str) -> None:
    with pytest.raises(ImproperlyConfigured, match=f"^OIDC_TEAM_ROLES.*{why}") as refusal:
        settings_with(**SINGLE_SIGN_ON, OIDC_TEAM_ROLES=value)
    assert "\n" not in str(refusal.value)


def test_roles_of_groups_need_a_provider(settings_with: Any) -> None:
    with pytest.raises(
        ImproperlyConfigured, match=r"^OIDC_TEAM_ROLES is given, but OIDC_SERVER_URL is missing"
    ):
        settings_with(OIDC_TEAM_ROLES='{"a": {"team": "North", "role": "viewer"}}')


def test_the_settings_know_every_role() -> None:
    assert tuple(Role.values) == ROLES


def test_production_refuses_to_send_the_password_of_mail_in_clear(settings_with: Any) -> None:
    unsafe = {**PRODUCTION, "EMAIL_URL": "smtp://user:hunter2@mail.example.com"}
    with pytest.raises(ImproperlyConfigured, match=r"^EMAIL_URL sends its password in clear") as refusal:
        settings_with(**unsafe)
    assert "hunter2" not in str(refusal.value)
    for safe in ("smtp://user:x@mail.example.com?tls=1", "smtps://user:x@mail.example.com", "smtp://mail"):
        assert settings_with(**{**PRODUCTION, "EMAIL_URL": safe})["LOCAL_MODE"] is False


def test_production_refuses_a_provider_without_https(settings_with: Any) -> None:
    unsafe = {**PRODUCTION, **SINGLE_SIGN_ON, "OIDC_SERVER_URL": "http://login.example.com"}
    with pytest.raises(ImproperlyConfigured, match=r"^OIDC_SERVER_URL is http: passwords and secrets"):
        settings_with(**unsafe)
    assert settings_with(**unsafe, INSECURE="1")["LOCAL_MODE"] is False


@pytest.mark.parametrize(
    ("alert_urls", "email_url", "mails"),
    [
        ("", "", True),
        ("", "smtp://mail.example.com", True),
        ("json://a.example", "", False),
        ("json://a.example", "smtp://mail.example.com", True),
    ],
)
def test_alerts_go_by_mail_unless_only_other_addresses_are_given(
    settings_with: Any, alert_urls: str, email_url: str, mails: bool
) -> None:
    assert settings_with(ALERT_URLS=alert_urls, EMAIL_URL=email_url)["MAIL_ALERTS"] is mails
