"""Errors of the API that REST framework does not define."""

from http import HTTPStatus

from rest_framework import exceptions

from amazon_accounts.web.problems import ProblemType


class CSRFTokenRefusedError(exceptions.PermissionDenied):
    """A session asked for a change without a valid CSRF token."""


class ContentTooLargeError(exceptions.APIException):
    status_code = HTTPStatus.REQUEST_ENTITY_TOO_LARGE


class UnavailableError(exceptions.APIException):
    """Something that the request needs does not answer. The client may try again after `wait` seconds."""

    status_code = HTTPStatus.SERVICE_UNAVAILABLE

    def __init__(self, problem_type: ProblemType, detail: str, *, wait: float) -> None:
        super().__init__(detail)
        self.problem_type = problem_type
        self.wait = wait
