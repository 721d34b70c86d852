"""The description of the API for its OpenAPI document."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from http import HTTPStatus
from typing import Any, TypeVar

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

from accounts.api.problems import MEDIA_TYPE, build_problem
from accounts.api.representation import ReadOnlySerializer
from accounts.lists.parameters import MAX_SEARCH_LENGTH, MAX_VALUES, AccountFilterSet
from amazon_accounts.web.links import build_link

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

ALWAYS = {
    400: "The request is invalid, and nothing was done. `errors` names each wrong field and its rule.",
    401: "The API token is missing, wrong or has expired.",
    406: "The address offers no media type that the client accepts.",
    429: "Too many requests; `Retry-After` says after how many seconds to try again.",
}
SOMETIMES = {
    403: "The permission is missing; `detail` names it.",
    404: "The object does not exist, or it belongs to another person.",
    409: "The state of the object does not allow the request.",
    412: "The account has changed since the version that `If-Match` names.",
    413: "The body is larger than 1 MB (8 MB if it takes many ids), or has more than 200,000 values.",
    415: "The body is not `application/json`.",
    503: "The answer was not ready in time; `Retry-After` says after how many seconds to try again.",
}
EXAMPLES = {
    400: ("status: “on” is not one of: active, suspended, pending, inactive.", "status"),
    401: ("Authentication credentials were not provided.", ""),
    403: ("You may not do this. It needs the permission “Can sync accounts” (accounts.sync_account).", ""),
    404: ("There is nothing at this address, or it belongs to somebody else.", ""),
    406: ("Could not satisfy the request Accept header.", ""),
    409: ("The operation has ended; nothing waits any more.", ""),
    412: ("The account has changed since you read it. Read it again, then repeat your change.", ""),
    413: ("The body is larger than 1 MB.", ""),
    415: ('Unsupported media type "text/plain" in request.', ""),
    429: ("Request was throttled. Expected available in 2 seconds.", ""),
    503: ("No valid token could be had in time; ask again.", ""),
}


class ProblemErrorSerializer(serializers.Serializer[Any]):
    field = serializers.CharField(
        allow_blank=True, help_text="The wrong field or parameter; empty if the whole body is wrong."
    )
    detail = serializers.CharField()


class ProblemSerializer(ReadOnlySerializer):
    """Problem details (RFC 9457)."""

    type = serializers.CharField()
    title = serializers.CharField()
    status = serializers.IntegerField()
    detail = serializers.CharField()
    errors_ = ProblemErrorSerializer(many=True)


class TokenScheme(OpenApiAuthenticationExtension):
    target_class = "accounts.api.authentication.TokenAuthentication"
    name = "token"

    def get_security_definition(self, _auto_schema: Any) -> dict[str, str]:
        return {
            "type": "apiKey",
            "in": "header",
            "name": "Authorization",
            "description": "The word `Token`, a space, and an API token from `manage.py api_token`.",
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
    errors: Sequence[int] = (),
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


def _describe_problems(errors: Sequence[int], permission: str, request: Any) -> dict[Any, Any]:
    statuses = {*ALWAYS, *errors, *({403} if permission else ())}
    if request is not None:
        statuses |= {413, 415}
    return {(status, MEDIA_TYPE): _describe_problem(status) for status in sorted(statuses)}


def _describe_problem(status: int) -> OpenApiResponse:
    detail, field = EXAMPLES[status]
    errors = [{"field": field, "detail": detail.removeprefix(f"{field}: ")}] if field else []
    return OpenApiResponse(
        ProblemSerializer,
        description=(ALWAYS | SOMETIMES)[status],
        examples=[OpenApiExample("problem", value=build_problem(status, detail, errors), response_only=True)],
    )


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


def describe_account_filters() -> list[OpenApiParameter]:
    return [
        OpenApiParameter(name, type=_build_array(schema) if several else schema, description=text)
        for name, schema, several, text in _read_filters()
    ]


def describe_filter_object() -> dict[str, Any]:
    properties = {
        name: {"oneOf": [schema, _build_array(schema)]} if several else schema
        for name, schema, several, _ in _read_filters()
    }
    return {"type": "object", "properties": properties, "additionalProperties": False}


def _read_filters() -> Iterator[tuple[str, dict[str, Any], bool, str]]:
    """Yield the name of each parameter, the schema of one value, whether it takes several values, and its help text."""
    for name, filter_ in AccountFilterSet.base_filters.items():
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
