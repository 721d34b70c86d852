"""The description of the API for its OpenAPI document."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from http import HTTPStatus
from typing import Any, TypeVar

from django_filters import FilterSet
from drf_spectacular.authentication import SessionScheme as BaseSessionScheme
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.utils import (
    OpenApiExample,
    OpenApiParameter,
    OpenApiResponse,
    extend_schema,
    inline_serializer,
)
from rest_framework import serializers
from rest_framework.request import Request

from accounts.api.representation import ReadOnlySerializer
from accounts.lists.parameters import MAX_SEARCH_LENGTH, MAX_VALUES
from amazon_accounts.web import problems
from amazon_accounts.web.links import build_link
from amazon_accounts.web.problems import MEDIA_TYPE, ProblemType, build_problem

# The calls to Amazon, with the media types that Amazon requires.
LIST_ADS_ACCOUNTS = (
    "`POST /adsAccounts/list` (sent and accepted: `application/vnd.listaccountsresource.v1+json`)"
)
LIST_PROFILES = "`GET /v2/profiles` (`application/json`), in each region"
LIST_MANAGERS = (
    "`GET /managerAccounts` (accepted: `application/vnd.getmanageraccountsresponse.v1+json`), in each region"
)
LIST_ADVERTISERS = "`GET /dsp/advertisers` (`application/json`), in each region, for each agency"
REFRESH = "`POST /auth/o2/token` of Login with Amazon (sent: `application/x-www-form-urlencoded`)"
SYNC = (LIST_ADS_ACCOUNTS, LIST_PROFILES, LIST_MANAGERS, LIST_ADVERTISERS)

PERMISSION_NAME = re.compile(r"\w+\.\w+")

View = TypeVar("View", bound=Callable[..., Any])

ALWAYS = (
    problems.MALFORMED_REQUEST,
    problems.INVALID_REQUEST,
    problems.NOT_SIGNED_IN,
    problems.KEY_REFUSED,
    problems.NOT_ACCEPTABLE,
    problems.TOO_MANY_REQUESTS,
    problems.DATABASE_UNAVAILABLE,
)
# What `detail` says, for example.
EXAMPLES = {
    problems.MALFORMED_REQUEST: "The body cannot be read. It is not valid JSON: Expecting value at line 1, column 1.",
    problems.INVALID_REQUEST: "status: “on” is not one of: active, suspended, pending, inactive, unknown.",
    problems.NOT_SIGNED_IN: "Authentication credentials were not provided.",
    problems.KEY_REFUSED: "The API key is wrong, has expired or was revoked, or belongs to somebody who may not sign in.",
    problems.NOT_PERMITTED: (
        "You may not do this. It needs the permission “Can sync accounts” (accounts.sync_account)."
    ),
    problems.CSRF_TOKEN_REFUSED: "CSRF Failed: CSRF token missing.",
    problems.NOT_FOUND: "There is nothing at this address, or it belongs to somebody else.",
    problems.NOT_ACCEPTABLE: "Could not satisfy the request Accept header.",
    problems.CONNECTION_UNUSABLE: "Amazon refuses this login. It must be reconnected.",
    problems.MOVE_REFUSED: "The connection is in the team “North” already.",
    problems.OPERATION_STATE: "The operation has ended; nothing waits any more.",
    problems.WEBHOOK_STATE: "The webhook is switched off. Switch it on first.",
    problems.VERSION_CONFLICT: (
        "The account has changed since you read it. Read it again, then repeat your change."
    ),
    problems.CONTENT_TOO_LARGE: "The body is larger than 1 MB.",
    problems.UNSUPPORTED_MEDIA_TYPE: 'Unsupported media type "text/plain" in request.',
    problems.TOO_MANY_REQUESTS: "Request was throttled. Expected available in 2 seconds.",
    problems.DATABASE_UNAVAILABLE: "The database does not answer. Try again in a moment.",
    problems.TOKEN_NOT_READY: "No valid token could be had in time; ask again.",
}
EXAMPLE_FIELD = "status"
EXAMPLE_URL = "https://ads.example.com"


class ProblemErrorSerializer(serializers.Serializer[Any]):
    field = serializers.CharField(
        allow_blank=True, help_text="The wrong field or parameter; empty if the whole body is wrong."
    )
    detail = serializers.CharField()


class ProblemSerializer(ReadOnlySerializer):
    """Problem details (RFC 9457)."""

    type = serializers.URLField(
        help_text="The kind of error: the address of a page of the console that explains it. Its last part is a code "
        "that never changes: " + ", ".join(f"`{each.code}`" for each in problems.PROBLEM_TYPES) + "."
    )
    title = serializers.CharField()
    status = serializers.IntegerField()
    detail = serializers.CharField()
    errors_ = ProblemErrorSerializer(many=True)


class SessionScheme(BaseSessionScheme):
    target_class = "accounts.api.authentication.SessionAuthentication"
    priority = 1


class KeyScheme(OpenApiAuthenticationExtension):
    target_class = "accounts.api.authentication.KeyAuthentication"
    name = "key"

    def get_security_definition(self, _auto_schema: Any) -> dict[str, str]:
        return {
            "type": "http",
            "scheme": "bearer",
            "description": "An API key, from the page `/keys/` or from `manage.py api_token`. `Authorization: Token KEY` "
            "means the same as `Bearer KEY`.",
        }


def describe(
    summary: str,
    text: str = "",
    *,
    operation_id: str,
    response: Any,
    example: Any = None,
    status: int = HTTPStatus.OK,
    request: Any = None,
    request_examples: Mapping[str, Any] | None = None,
    parameters: Sequence[Any] = (),
    permission: str = "",
    behind: Sequence[str] = (),
    errors: Sequence[ProblemType] = (),
    headers: Sequence[OpenApiParameter] = (),
) -> Callable[[View], View]:
    """Describe one operation of the API, and say who may use it.

    `permission` names one permission, or several of which a person needs any. `behind` names the calls to Amazon
    that the operation causes or that its data is from.
    """
    add_schema = extend_schema(
        operation_id=operation_id,
        summary=summary,
        description="\n\n".join(
            filter(None, [text, _describe_permission(permission), _describe_calls(behind)])
        ),
        parameters=[*parameters, *headers],
        request=request,
        responses=_describe_response(response, example, status)
        | _describe_problems(errors, permission, request),
        examples=[
            OpenApiExample(name, value=value, request_only=True)
            for name, value in (request_examples or {}).items()
        ],
        extensions={"x-permission": permission or None, "x-amazon-calls": list(behind)},
    )

    def decorate(view: View) -> View:
        # What the document says is also what `HoldsPermission` checks.
        setattr(view, "any_permission_of", tuple(PERMISSION_NAME.findall(permission)))  # noqa: B010 - functions have no such attribute for mypy
        decorated: View = add_schema(view)
        return decorated

    return decorate


def _describe_permission(permission: str) -> str:
    return (
        f"Needs the permission `{permission}`."
        if permission
        else "Shows what you may see; needs no permission."
    )


def _describe_calls(calls: Sequence[str]) -> str:
    return "\n".join(["At Amazon:", "", *(f"- {call}" for call in calls)]) if calls else ""


def _describe_response(response: Any, example: Any, status: int) -> dict[Any, Any]:
    if isinstance(response, dict):
        return response
    examples = [OpenApiExample("example", value=example, response_only=True, status_codes=[str(status)])]
    return {status: OpenApiResponse(response, description=HTTPStatus(status).phrase, examples=examples)}


def _describe_problems(
    errors: Sequence[ProblemType], permission: str, request: Any
) -> dict[Any, OpenApiResponse]:
    possible = {*ALWAYS, *errors}
    if permission:
        possible |= {problems.NOT_PERMITTED}
    if request is not None:
        possible |= {problems.CONTENT_TOO_LARGE, problems.UNSUPPORTED_MEDIA_TYPE}
    if problems.UNSUPPORTED_MEDIA_TYPE in possible:
        # What takes a body is a change.
        possible |= {problems.CSRF_TOKEN_REFUSED}
    in_order = [each for each in problems.PROBLEM_TYPES if each in possible]
    return {
        (int(status), MEDIA_TYPE): _describe_status([each for each in in_order if each.status == status])
        for status in sorted({each.status for each in possible})
    }


def _describe_status(possible: Sequence[ProblemType]) -> OpenApiResponse:
    return OpenApiResponse(
        ProblemSerializer,
        description="\n\n".join(f"`{each.code}`: {each.what_happened}" for each in possible),
        examples=[
            OpenApiExample(each.code, value=_build_example(each), response_only=True) for each in possible
        ],
    )


def _build_example(problem_type: ProblemType) -> dict[str, Any]:
    detail = EXAMPLES[problem_type]
    is_field = problem_type is problems.INVALID_REQUEST
    errors = (
        [{"field": EXAMPLE_FIELD, "detail": detail.removeprefix(f"{EXAMPLE_FIELD}: ")}] if is_field else []
    )
    # The document is the same wherever it is made.
    return {
        **build_problem(problem_type, detail, errors),
        "type": EXAMPLE_URL + problem_type.path,
    }


@cache
def describe_page(serializer: type[serializers.Serializer[Any]]) -> Any:
    name = serializer.__name__.removesuffix("Serializer")
    return inline_serializer(
        f"{name}Page",
        {
            "results": serializer(many=True),
            "next": serializers.URLField(allow_null=True, help_text="The next page; null on the last page."),
            "previous": serializers.URLField(
                allow_null=True, help_text="The previous page; null on the first page."
            ),
        },
    )


def build_page_example(row: Any) -> dict[str, Any]:
    return {"results": [row], "next": None, "previous": None}


def describe_filters(filter_set: type[FilterSet]) -> list[OpenApiParameter]:
    return [
        OpenApiParameter(name, type=_build_array(schema) if several else schema, description=text)
        for name, schema, several, text in _read_filters(filter_set)
    ]


def describe_filter_object(filter_set: type[FilterSet]) -> dict[str, Any]:
    properties = {
        name: {"oneOf": [schema, _build_array(schema)]} if several else schema
        for name, schema, several, _ in _read_filters(filter_set)
    }
    return {"type": "object", "properties": properties, "additionalProperties": False}


def _read_filters(filter_set: type[FilterSet]) -> Iterator[tuple[str, dict[str, Any], bool, str]]:
    """Yield the name of each parameter, the schema of one value, whether it takes several values, and its help text."""
    for name, filter_ in filter_set.base_filters.items():
        extra = filter_.extra
        if "choices" in extra:
            words = [word for word, _ in extra["choices"]]
            yield name, {"type": "string", "enum": words}, True, extra["help_text"]
        elif "pattern" in extra:
            yield name, {"type": "string", "pattern": f"^(?:{extra['pattern']})$"}, True, extra["help_text"]
        elif name == "search":
            text = {
                "type": "string",
                "minLength": 1,
                "maxLength": MAX_SEARCH_LENGTH,
                "pattern": r"^[^\x00]+$",
            }
            yield name, text, False, extra["help_text"]
        else:
            yield name, {"type": "object"}, False, extra["help_text"]


def _build_array(item: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": item, "minItems": 1, "maxItems": MAX_VALUES}


def finish(result: dict[str, Any], request: Request | None, **_: Any) -> dict[str, Any]:
    # The document in the repository, which no request asks for, is of no certain server.
    if request is not None:
        result["servers"] = [{"url": build_link("/").removesuffix("/")}]
    # drf-spectacular has no way to say that a parameter which is an object is sent as JSON.
    for path in result["paths"].values():
        for operation in path.values():
            for parameter in operation.get("parameters", []):
                if parameter.get("schema", {}).get("type") == "object":
                    parameter["content"] = {"application/json": {"schema": parameter.pop("schema")}}
    _drop(result, "x-spec-enum-id")
    return result


def _drop(value: Any, key: str) -> None:
    if isinstance(value, dict):
        value.pop(key, None)
    if isinstance(value, dict | list):
        for each in value.values() if isinstance(value, dict) else value:
            _drop(each, key)
