"""What a command says about an error that a person can cause: one line, with advice."""

from datetime import UTC, datetime

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import InterfaceError, OperationalError, ProgrammingError

from amazon_accounts.amazon_ads.client import AmazonClient
from amazon_accounts.amazon_ads.errors import (
    ApplicationRefusedError,
    ForbiddenError,
    GrantRevokedError,
    PermanentError,
    PostponedError,
    ThrottledError,
    TransientError,
    UnreachableError,
)
from tests.sick_database import read_only
from tests.tokens.conftest import ConnectionFactory
from tokens.connect.grants import AlreadyConnectedError
from tokens.encryption import DecryptionError
from tokens.errors import NotConnectedError, OtherApplicationError, UnreadableTokenError
from tokens.processes.commands import ADVICE, add_advice, raise_one_line_errors, run_with_amazon

UNTIL = datetime(2026, 8, 1, 12, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (ApplicationRefusedError("No."), "No. Check AMAZON_CLIENT_ID and AMAZON_CLIENT_SECRET."),
        (OtherApplicationError("Another."), "Another. Check AMAZON_CLIENT_ID and AMAZON_CLIENT_SECRET."),
        (
            GrantRevokedError("Refused."),
            "Refused. Sign in at Amazon again, and give the refresh token of the new consent.",
        ),
        (
            NotConnectedError("Gone."),
            "Gone. Sign in at Amazon again, and give the refresh token of the new consent.",
        ),
        (
            UnreachableError("No answer."),
            "No answer. Check the network, and AMAZON_LWA_URL and AMAZON_ADS_API_URL if they are set.",
        ),
        (
            PostponedError(UNTIL),
            f"{PostponedError(UNTIL)} Try again then, or wait longer with --wait.",
        ),
        (TransientError("Down."), "Down."),
        (ThrottledError("Slow down."), "Slow down."),
        (ForbiddenError("No right."), "No right."),
        (PermanentError("Wrong."), "Wrong."),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
def test_an_error_comes_with_what_a_person_can_do(error: Exception, line: str) -> None:
    assert add_advice(error) == line


def test_an_error_of_many_lines_becomes_one_line() -> None:
    assert add_advice(TransientError("One\n  two\n\nthree.")) == "One two three."


def test_a_sentence_without_a_full_stop_gets_one_before_the_advice() -> None:
    assert add_advice(ApplicationRefusedError("No")).startswith("No. Check")


def test_advice_for_a_subclass_stands_before_advice_for_its_base() -> None:
    kinds = [kind for kind, _ in ADVICE]
    for number, kind in enumerate(kinds):
        assert not any(issubclass(later, kind) for later in kinds[number + 1 :])


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (PermanentError("Wrong."), "Wrong."),
        (PostponedError(UNTIL), "Try again then"),
        (AlreadyConnectedError("It is connected already."), "It is connected already."),
        (DecryptionError(), "its key is not among TOKEN_ENCRYPTION_KEYS"),
        (UnreadableTokenError(), "its key is not among TOKEN_ENCRYPTION_KEYS"),
        (OperationalError("refused"), "The database does not answer: refused"),
        (InterfaceError("closed"), "The database does not answer: closed"),
        (ProgrammingError("no such table"), "run `manage.py migrate` first"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
def test_an_error_that_a_person_can_cause_is_a_command_error(error: Exception, words: str) -> None:
    with pytest.raises(CommandError) as raised, raise_one_line_errors():
        raise error
    assert words in str(raised.value)
    assert "\n" not in str(raised.value)
    assert raised.value.__cause__ is error


def test_a_defect_of_ours_keeps_its_traceback() -> None:
    with pytest.raises(ZeroDivisionError), raise_one_line_errors():
        raise ZeroDivisionError


@pytest.mark.django_db(transaction=True)
def test_an_operation_gets_a_client_that_is_open() -> None:
    async def operation(amazon: AmazonClient) -> str:
        return type(amazon).__name__

    assert run_with_amazon(operation) == "AmazonClient"


@pytest.mark.django_db(transaction=True)
def test_a_command_says_in_one_line_that_the_database_cannot_be_written(
    connect: ConnectionFactory, caplog: pytest.LogCaptureFixture
) -> None:
    connection = connect()
    with read_only(), pytest.raises(CommandError, match=r"^The database is read-only: cannot execute"):
        call_command("refresh_tokens", connection=[connection.pk])
    assert caplog.text == ""
