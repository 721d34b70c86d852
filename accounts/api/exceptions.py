"""Errors of the API that REST framework has no name for."""

from http import HTTPStatus

from rest_framework import exceptions


class Conflict(exceptions.APIException):
    """What is asked for does not fit the state of the thing."""

    status_code = HTTPStatus.CONFLICT
    default_detail = "It does not fit the present state."


class PreconditionFailed(exceptions.APIException):
    """The thing has changed since the version that If-Match names."""

    status_code = HTTPStatus.PRECONDITION_FAILED
    default_detail = "The account has changed since you read it. Read it again, then repeat your change."


class ContentTooLarge(exceptions.APIException):
    """The body is larger than any request needs."""

    status_code = HTTPStatus.REQUEST_ENTITY_TOO_LARGE


class Unavailable(exceptions.APIException):
    """Something that we need does not answer; it is worth trying again."""

    status_code = HTTPStatus.SERVICE_UNAVAILABLE

    def __init__(self, detail: str, *, wait: float) -> None:
        super().__init__(detail)
        self.wait = wait
