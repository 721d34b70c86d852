import socket
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured
from pytest_django import Settings

from amazon_accounts.starter.preparation import check_port, collect_static_files
from tests.ports import free_port


def test_a_free_port_stays_free() -> None:
    port = free_port()
    check_port("PORT", "127.0.0.1", port)
    with socket.create_server(("127.0.0.1", port)) as server:
        assert server.getsockname()[1] == port


def test_a_taken_port_is_reported_in_one_line() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with pytest.raises(ImproperlyConfigured) as refusal:
            check_port("PORT", "127.0.0.1", port)
    message = str(refusal.value)
    assert message.startswith(
        f"PORT {port} on 127.0.0.1 cannot be used (Address already in use). Set PORT to a free port"
    )
    assert "\n" not in message


@pytest.mark.parametrize(
    ("host", "port", "advice"),
    [
        ("127.0.0.1", 65536, "Set SANDBOX_PORT to a free port, for example SANDBOX_PORT="),
        ("no-such-host.invalid", 8000, "Set HOST to an address of this machine."),
        ("192.0.2.1", 8000, "Set HOST to an address of this machine."),
    ],
)
def test_an_impossible_address_is_reported_in_one_line(host: str, port: int, advice: str) -> None:
    with pytest.raises(
        ImproperlyConfigured, match=rf"^SANDBOX_PORT {port} on {host} cannot be used .*{advice}"
    ):
        check_port("SANDBOX_PORT", host, port)


def test_it_collects_static_files_only_when_they_changed(tmp_path: Path, settings: Settings) -> None:
    source = tmp_path / "source"
    source.mkdir()
    (source / "a.css").write_text("a {}")
    settings.STATICFILES_FINDERS = ["django.contrib.staticfiles.finders.FileSystemFinder"]
    settings.STATICFILES_DIRS = [source]
    settings.STATIC_ROOT = tmp_path / "static"
    assert collect_static_files()
    assert (tmp_path / "static/a.css").exists()
    assert not collect_static_files()
    (source / "a.css").write_text("a { color: red }")
    assert collect_static_files()
    assert "red" in (tmp_path / "static/a.css").read_text()
