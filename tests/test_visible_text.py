"""Control characters never reach a log or a terminal as they are."""

import io
import logging
import logging.config
import subprocess
import sys
from pathlib import Path
from typing import Any, NoReturn

import pytest
from django.contrib.auth.models import User
from django.core.management import call_command
from django.test import Client
from django.utils.module_loading import import_string
from hypothesis import given
from hypothesis import strategies as st

from amazon_accounts.logs.formats import TextFormatter
from amazon_accounts.settings import DATA_DIR, LOGGING
from amazon_accounts.starter.log import Log, LogFile
from amazon_accounts.visible_text import escape_line, escape_lines, format_traceback
from tokens.management.commands.api_token import Command as ApiTokenCommand
from tokens.processes.commands import OperatorCommand

# mypy knows the settings only as an object.
SETTINGS: dict[str, Any] = dict(LOGGING)
PROJECT = Path(__file__).resolve().parents[1]
# Clears the screen, goes back to the start of the line, begins a new line, and reverses what follows.
HOSTILE = "\x1b[2J\r\n\x9b31m\u2028\u202eforged"
RAW = set("\x1b\r\x9b\u2028\u202e")


@pytest.fixture
def our_log(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    """What the handlers of the settings write."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    plain = dict(SETTINGS["formatters"]["text"])
    assert plain.pop("()").endswith(".TextFormatter")
    handler.setFormatter(TextFormatter(plain["format"], style=plain["style"]))
    monkeypatch.setattr(logging.getLogger(), "handlers", [handler])
    return stream


@given(st.text(st.characters(exclude_categories=[])))
def test_a_text_becomes_one_line_that_can_be_printed(text: str) -> None:
    line = escape_line(text)
    assert len(line.splitlines()) <= 1
    assert all(character >= " " for character in line)
    line.encode()


@pytest.mark.parametrize("text", ["Blumen & Söhne", "日本", "שלום", "👩‍💻", "a\\x1b"])
def test_what_people_write_stays_as_it_is(text: str) -> None:
    assert escape_line(text) == escape_lines(text) == text


def test_every_handler_of_the_settings_escapes() -> None:
    for formatter in SETTINGS["formatters"].values():
        record = logging.makeLogRecord(
            {"msg": HOSTILE, "levelname": "INFO", "exc_info": (ValueError, ValueError(HOSTILE), None)}
        )
        text = import_string(formatter["()"])().format(record)
        assert not RAW & set(text)
    assert {handler["formatter"] for handler in SETTINGS["handlers"].values()} <= set(SETTINGS["formatters"])


def test_no_logger_of_a_package_has_a_handler_of_its_own() -> None:
    program = (
        "import logging, granian.log as granian; granian.configure_logging(granian.LogLevels.info)\n"
        "import django; django.setup()\n"
        "print([name for name, logger in logging.Logger.manager.loggerDict.items() "
        "if getattr(logger, 'handlers', []) and not isinstance(logger.handlers[0], logging.NullHandler)])"
    )
    found = subprocess.run(
        [sys.executable, "-c", program],
        env={"DJANGO_SETTINGS_MODULE": "amazon_accounts.settings", "DATA_DIR": str(DATA_DIR)},
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert found.stdout.strip() == "[]"


@pytest.mark.parametrize(
    "address",
    [
        "/admin/accounts/account/%1b%5b2J%0d2026-01-01%20forged/change/",
        "/admin/%1b%5b2J/",
        "/api/v1/%0d%0aforged/",
        "/%c2%9b31m%e2%80%ae/",
    ],
)
@pytest.mark.parametrize("method", ["get", "post"])
def test_an_address_forges_no_line_of_the_log(
    db: None, our_log: io.StringIO, address: str, method: str
) -> None:
    client = Client(enforce_csrf_checks=True)
    getattr(client, method)(address)
    assert not RAW & set(our_log.getvalue())
    for line in our_log.getvalue().splitlines():
        assert line[:2] == "20", line


def test_a_traceback_keeps_its_lines_and_says_what_the_error_says_in_one_line() -> None:
    def fail() -> NoReturn:
        raise ValueError(f"inner {HOSTILE}")

    def fail_too() -> None:
        try:
            fail()
        except ValueError as error:
            raise ExceptionGroup(f"outer {HOSTILE}", [KeyError(HOSTILE)]) from error

    with pytest.raises(ExceptionGroup) as caught:
        fail_too()
    text = format_traceback(caught.value)
    assert not RAW & set(text)
    assert text.count("\n") > 12
    assert not [line for line in text.splitlines() if line.startswith("forged")]
    assert r"ValueError: inner \x1b[2J\x0d\x0a\x9b31m\u2028\u202eforged" in text.splitlines()


def test_a_record_begins_with_its_time_whatever_it_says(our_log: io.StringIO) -> None:
    with pytest.raises(ValueError) as caught:
        int(HOSTILE)
    error = caught.value
    logging.getLogger("tokens.test").error("Something failed: %s", HOSTILE, exc_info=error)
    first, second, *rest = our_log.getvalue().splitlines()
    assert first.endswith(r"ERROR tokens.test: Something failed: \x1b[2J\x0d\x0a\x9b31m\u2028\u202eforged")
    assert second == "Traceback (most recent call last):"
    assert rest[-1].startswith("ValueError: invalid literal")


def test_make_run_escapes_what_other_processes_write(tmp_path: Path) -> None:
    stream = io.StringIO()
    Log(["web"], stream).write("web", HOSTILE)
    assert stream.getvalue() == "web | \\x1b[2J\\x0d\\x0a\\x9b31m\\u2028\\u202eforged\n"


def test_a_line_of_the_database_stays_one_line(tmp_path: Path) -> None:
    file = tmp_path / "log"
    log = LogFile(file)
    file.write_text("one\u2028\x85still one\ntwo\nhalf", newline="")
    assert list(log.new_lines()) == ["one\u2028\x85still one", "two"]


def test_a_command_prints_what_people_wrote_without_control_characters(db: None) -> None:
    class Greet(OperatorCommand):
        def handle(self, *args: Any, **options: Any) -> None:
            self.stdout.write(f"Hello {HOSTILE}")
            self.stderr.write(f"Name of {HOSTILE}: ", ending="")

    out, err = io.StringIO(), io.StringIO()
    call_command(Greet(), stdout=out, stderr=err, skip_checks=True)
    assert out.getvalue() == "Hello \\x1b[2J\\x0d\n\\x9b31m\\u2028\\u202eforged\n"
    assert err.getvalue() == "Name of \\x1b[2J\\x0d\n\\x9b31m\\u2028\\u202eforged: "


def test_a_failed_command_prints_its_error_without_control_characters(
    db: None, capsys: pytest.CaptureFixture[str]
) -> None:
    User.objects.create(username=HOSTILE, is_active=False)
    with pytest.raises(SystemExit):
        ApiTokenCommand().run_from_argv(["manage.py", "api_token", HOSTILE])
    captured = capsys.readouterr()
    assert "may not sign in" in captured.err
    assert not RAW & set(captured.err + captured.out)
