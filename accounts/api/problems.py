"""Errors of the API as problem details (RFC 9457)."""

import math
from collections.abc import Iterator, Mapping
from http import HTTPStatus
from typing import Any

from django.contrib.auth.models import Permission
from django.core.exceptions import (
    NON_FIELD_ERRORS,
    BadRequest,
    PermissionDenied,
    SuspiciousOperation,
    TooManyFieldsSent,
    ValidationError,
)
from django.db import InterfaceError, OperationalError
from django.http import Http404, HttpRequest, HttpResponseBase, JsonResponse
from django.urls import resolve
from django.views.decorators.csrf import csrf_exempt
from psycopg_pool import PoolTimeout
from rest_framework import exceptions
from rest_framework.renderers import JSONRenderer
from rest_framework.response import Response
from rest_framework.views import set_rollback

from accounts.api.exceptions import UnavailableError
from accounts.batch.ending import BatchStateError
from accounts.errors import UnknownObjectError
from accounts.update import VersionConflictError
from tokens.errors import ConnectionUnusableError

MEDIA_TYPE = "application/problem+json"
NOT_FOUND = "There is nothing at this address, or it belongs to somebody else."
VERSION_CONFLICT = "The account has changed since you read it. Read it again, then repeat your change."

Errors = list[dict[str, str]]


def build_problem(status: int, detail: str, errors: Errors | None = None) -> dict[str, Any]:
    return {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": int(status),
        "detail": detail,
        "errors": errors or [],
    }


def handle(error: Exception, context: Mapping[str, Any]) -> Response | None:
    """Return the answer for what a view raised, or None for a bug, which Django reports as an error 500."""
    if isinstance(error, OperationalError | InterfaceError | PoolTimeout):
        error = UnavailableError("The database does not answer. Try again in a moment.", wait=5)
    known = _recognize(error)
    if known is None:
        return None
    status, detail, errors, headers = known
    set_rollback()
    if (request := context.get("request")) is not None:
        # The view itself may answer with YAML or a page.
        request.accepted_renderer, request.accepted_media_type = JSONRenderer(), JSONRenderer.media_type
    return Response(
        build_problem(status, detail, errors), status=status, headers=headers, content_type=MEDIA_TYPE
    )


def _recognize(error: Exception) -> tuple[int, str, Errors, dict[str, str]] | None:
    match error:
        case UnknownObjectError():
            errors = list(_flatten_django_errors(error))
            return HTTPStatus.NOT_FOUND, _summarize(errors), errors, {}
        case ValidationError():
            errors = list(_flatten_django_errors(error))
            return HTTPStatus.BAD_REQUEST, _summarize(errors), errors, {}
        case exceptions.ValidationError():
            errors = list(_flatten_rest_errors(error.detail))
            return HTTPStatus.BAD_REQUEST, _summarize(errors), errors, {}
        case Http404():
            return HTTPStatus.NOT_FOUND, NOT_FOUND, [], {}
        case TooManyFieldsSent():
            return HTTPStatus.BAD_REQUEST, "It has more parameters than any request needs.", [], {}
        case SuspiciousOperation() | BadRequest():
            return HTTPStatus.BAD_REQUEST, "The request is not one that this API takes.", [], {}
        case ConnectionUnusableError() | BatchStateError():
            return HTTPStatus.CONFLICT, str(error), [], {}
        case VersionConflictError():
            return HTTPStatus.PRECONDITION_FAILED, VERSION_CONFLICT, [], {}
        case PermissionDenied():
            return HTTPStatus.FORBIDDEN, _explain_denial(str(error)), [], {}
        case exceptions.APIException():
            return error.status_code, str(error.detail), [], _build_headers(error)
        case _:
            return None


def _build_headers(error: exceptions.APIException) -> dict[str, str]:
    headers = {}
    if challenge := getattr(error, "auth_header", None):
        headers["WWW-Authenticate"] = challenge
    if (wait := getattr(error, "wait", None)) is not None:
        headers["Retry-After"] = str(math.ceil(wait))
    return headers


def _summarize(errors: Errors) -> str:
    if len(errors) == 1:
        return f"{errors[0]['field']}: {errors[0]['detail']}" if errors[0]["field"] else errors[0]["detail"]
    return f"{len(errors)} things are wrong with the request; nothing was done."


def _explain_denial(permission: str) -> str:
    # Operations raise PermissionDenied with the name of the missing permission as its text.
    app_label, _, codename = permission.partition(".")
    row = Permission.objects.filter(content_type__app_label=app_label, codename=codename).first()
    if row is None:
        return permission or "You may not do this."
    return f"You may not do this. It needs the permission “{row.name}” ({permission})."


def _flatten_django_errors(error: ValidationError) -> Iterator[dict[str, str]]:
    if not hasattr(error, "error_dict"):
        yield from ({"field": "", "detail": message} for message in error.messages)
        return
    for field, messages in error.message_dict.items():
        name = "" if field == NON_FIELD_ERRORS else field
        yield from ({"field": name, "detail": message} for message in messages)


def _flatten_rest_errors(detail: Any, path: str = "") -> Iterator[dict[str, str]]:
    if isinstance(detail, Mapping):
        for key, value in detail.items():
            name = "" if key == "non_field_errors" else str(key)
            yield from _flatten_rest_errors(value, ".".join(part for part in (path, name) if part))
    elif isinstance(detail, list):
        for value in detail:
            yield from _flatten_rest_errors(value, path)
    else:
        yield {"field": path, "detail": str(detail)}


def build_response(status: int, detail: str) -> JsonResponse:
    return JsonResponse(build_problem(status, detail), status=status, content_type=MEDIA_TYPE)


@csrf_exempt  # it changes nothing
def answer_not_found(request: HttpRequest, **_: Any) -> HttpResponseBase:
    return build_response(HTTPStatus.NOT_FOUND, f"There is nothing at {request.path[:200]}.")


@csrf_exempt  # the view that it calls checks the CSRF token
def add_last_slash(request: HttpRequest, **_: Any) -> HttpResponseBase:
    # Not by a redirect, which would lose the body of a POST.
    match = resolve(f"{request.path_info}/")
    request.resolver_match = match
    response: HttpResponseBase = match.func(request, *match.args, **match.kwargs)
    return response
