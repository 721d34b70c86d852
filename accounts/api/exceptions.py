"""Errors of the API that REST framework does not define."""

from http import HTTPStatus

from rest_framework import exceptions


class ContentTooLargeError(exceptions.APIException):
    status_code = HTTPStatus.REQUEST_ENTITY_TOO_LARGE


class UnavailableError(exceptions.APIException):
    """Something that the request needs does not answer. The client may try again after `wait` seconds."""

    status_code = HTTPStatus.SERVICE_UNAVAILABLE

    def __init__(self, detail: str, *, wait: float) -> None:
        super().__init__(detail)
        self.wait = wait
