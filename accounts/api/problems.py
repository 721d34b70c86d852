"""Errors of the API as problem details (RFC 9457)."""

import math
from collections.abc import Iterator, Mapping
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

from accounts.api.exceptions import ContentTooLargeError, CSRFTokenRefusedError, UnavailableError
from accounts.batch.ending import BatchStateError
from accounts.errors import UnknownObjectError
from accounts.update import VersionConflictError
from amazon_accounts.postgresql.outages import OUTAGES
from amazon_accounts.web import problems
from amazon_accounts.web.problems import MEDIA_TYPE, ProblemType, build_problem
from tokens.connect.move import MoveRefusedError
from tokens.errors import ConnectionUnusableError
from tokens.webhooks.manage import StillWaitingError, WebhookOffError

NOT_FOUND = "There is nothing at this address, or it belongs to somebody else."
VERSION_CONFLICT = "The account has changed since you read it. Read it again, then repeat your change."

# A special error stands before the general one that it also is.
TYPES: dict[type[Exception], ProblemType] = {
    UnknownObjectError: problems.NOT_FOUND,
    ValidationError: problems.INVALID_REQUEST,
    exceptions.ValidationError: problems.INVALID_REQUEST,
    SuspiciousOperation: problems.MALFORMED_REQUEST,
    BadRequest: problems.MALFORMED_REQUEST,
    exceptions.ParseError: problems.MALFORMED_REQUEST,
    exceptions.NotAuthenticated: problems.NOT_SIGNED_IN,
    exceptions.AuthenticationFailed: problems.KEY_REFUSED,
    CSRFTokenRefusedError: problems.CSRF_TOKEN_REFUSED,
    PermissionDenied: problems.NOT_PERMITTED,
    exceptions.PermissionDenied: problems.NOT_PERMITTED,
    Http404: problems.NOT_FOUND,
    exceptions.NotFound: problems.NOT_FOUND,
    exceptions.MethodNotAllowed: problems.METHOD_NOT_ALLOWED,
    exceptions.NotAcceptable: problems.NOT_ACCEPTABLE,
    ConnectionUnusableError: problems.CONNECTION_UNUSABLE,
    MoveRefusedError: problems.MOVE_REFUSED,
    BatchStateError: problems.OPERATION_STATE,
    WebhookOffError: problems.WEBHOOK_STATE,
    StillWaitingError: problems.WEBHOOK_STATE,
    VersionConflictError: problems.VERSION_CONFLICT,
    ContentTooLargeError: problems.CONTENT_TOO_LARGE,
    exceptions.UnsupportedMediaType: problems.UNSUPPORTED_MEDIA_TYPE,
    exceptions.Throttled: problems.TOO_MANY_REQUESTS,
}

Errors = list[dict[str, str]]


def handle(error: Exception, context: Mapping[str, Any]) -> Response | None:
    """Return the answer for what a view raised, or None for a bug, which Django reports as an error 500."""
    if isinstance(error, OperationalError | InterfaceError | PoolTimeout):
        sentence = f"{OUTAGES.explain(error)} Try again in a moment."
        error = UnavailableError(problems.DATABASE_UNAVAILABLE, sentence, wait=5)
    problem_type = _find_type(error)
    if problem_type is None:
        return None
    errors = _list_errors(error)
    set_rollback()
    if (request := context.get("request")) is not None:
        # The view itself may answer with YAML or a page.
        request.accepted_renderer, request.accepted_media_type = JSONRenderer(), JSONRenderer.media_type
    return Response(
        build_problem(problem_type, _explain(error, errors), errors),
        status=problem_type.status,
        headers=_build_headers(error),
        content_type=MEDIA_TYPE,
    )


def _find_type(error: Exception) -> ProblemType | None:
    if isinstance(error, UnavailableError):
        return error.problem_type
    return next((problem_type for kind, problem_type in TYPES.items() if isinstance(error, kind)), None)


def _list_errors(error: Exception) -> Errors:
    match error:
        case ValidationError():
            return list(_flatten_django_errors(error))
        case exceptions.ValidationError():
            return list(_flatten_rest_errors(error.detail))
        case _:
            return []


def _explain(error: Exception, errors: Errors) -> str:
    match error:
        case _ if errors:
            return _summarize(errors)
        case Http404():
            return NOT_FOUND
        case TooManyFieldsSent():
            return "It has more parameters than any request needs."
        case SuspiciousOperation() | BadRequest():
            return "The request is not one that this API takes."
        case VersionConflictError():
            return VERSION_CONFLICT
        case PermissionDenied():
            return _explain_denial(str(error))
        case exceptions.APIException():
            return str(error.detail)
        case _:
            return str(error)


def _build_headers(error: Exception) -> dict[str, str]:
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


def build_response(problem_type: ProblemType, detail: str) -> JsonResponse:
    return JsonResponse(
        build_problem(problem_type, detail), status=problem_type.status, content_type=MEDIA_TYPE
    )


@csrf_exempt  # it changes nothing
def answer_not_found(request: HttpRequest, **_: Any) -> HttpResponseBase:
    return build_response(problems.NOT_FOUND, f"There is nothing at {request.path[:200]}.")


@csrf_exempt  # the view that it calls checks the CSRF token
def add_last_slash(request: HttpRequest, **_: Any) -> HttpResponseBase:
    # Not by a redirect, which would lose the body of a POST.
    match = resolve(f"{request.path_info}/")
    request.resolver_match = match
    response: HttpResponseBase = match.func(request, *match.args, **match.kwargs)
    return response
