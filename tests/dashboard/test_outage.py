import json

import psycopg
import pytest
from django.db import InterfaceError, OperationalError
from django.http import HttpResponse
from django.test import RequestFactory

from dashboard.outage import DatabaseOutageMiddleware

SENTENCE = "The database does not answer. Try again in a few seconds."
AWAY = [
    psycopg.OperationalError("couldn't get a connection after 5.00 sec"),
    psycopg.errors.AdminShutdown("terminating connection"),
    psycopg.errors.CannotConnectNow("starting up"),
    psycopg.errors.ConnectionFailure("gone"),
    psycopg.InterfaceError("the connection is closed"),
]
REFUSED = [psycopg.errors.DeadlockDetected("deadlock"), psycopg.errors.QueryCanceled("timeout")]


def as_django_raises_it(cause: psycopg.Error) -> Exception:
    error = (InterfaceError if isinstance(cause, psycopg.InterfaceError) else OperationalError)(str(cause))
    error.__cause__ = cause
    return error


def answer(path: str, error: Exception) -> HttpResponse | None:
    middleware = DatabaseOutageMiddleware(lambda _: HttpResponse())
    return middleware.process_exception(RequestFactory().get(path), error)


@pytest.mark.parametrize("cause", AWAY, ids=lambda cause: type(cause).__name__)
def test_it_answers_at_once_that_the_database_is_away(cause: psycopg.Error) -> None:
    response = answer("/accounts/", as_django_raises_it(cause))
    assert response is not None
    assert response.status_code == 503
    assert response["Retry-After"] == "5"
    assert response.content.decode() == SENTENCE


def test_the_api_answers_with_problem_details() -> None:
    response = answer("/api/v1/accounts/", as_django_raises_it(AWAY[0]))
    assert response is not None
    assert response["Content-Type"] == "application/problem+json"
    assert json.loads(response.content)["status"] == 503


@pytest.mark.parametrize("cause", REFUSED, ids=lambda cause: type(cause).__name__)
def test_an_error_of_a_statement_is_no_outage(cause: psycopg.Error) -> None:
    assert answer("/accounts/", as_django_raises_it(cause)) is None


def test_other_errors_are_left_alone() -> None:
    assert answer("/accounts/", ValueError("no")) is None
