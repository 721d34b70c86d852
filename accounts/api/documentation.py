"""How the views tell what they do, for the OpenAPI document: one decorator, and the errors that all have in common."""

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

from accounts.api.problems import MEDIA_TYPE, problem
from accounts.lists.parameters import MAX_SEARCH_LENGTH, MAX_VALUES, AccountFilterSet

# What Amazon is asked, with the media types it insists on.
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

View = TypeVar("View", bound=Callable[..., Any])

ALWAYS = {
    400: "Something in the request is wrong, and nothing was done. `errors` names each field and its rule.",
    401: "The API token is missing, wrong or has expired.",
    406: "The client accepts no media type that this has.",
    429: "Too many requests; `Retry-After` says in how many seconds to come back.",
}
SOMETIMES = {
    403: "The permission is missing; `detail` names it.",
    404: "It is not there, or it is somebody else's.",
    409: "It does not fit the present state of the thing.",
    412: "The account has changed since the version that `If-Match` names.",
    413: "The body is larger than 8 MB.",
    415: "The body is not `application/json`.",
    503: "It could not be done in time; `Retry-After` says when to try again.",
}
EXAMPLES = {
    400: ("status: “on” is not one of: active, suspended, pending, inactive.", "status"),
    401: ("Authentication credentials were not provided.", ""),
    403: ("You may not do this. It needs the permission “Can sync accounts” (accounts.sync_account).", ""),
    404: ("There is nothing at this address, or it belongs to somebody else.", ""),
    406: ("Could not satisfy the request Accept header.", ""),
    409: ("The operation has ended; nothing waits any more.", ""),
    412: ("The account has changed since you read it. Read it again, then repeat your change.", ""),
    413: ("The body is larger than 8 MB.", ""),
    415: ('Unsupported media type "text/plain" in request.', ""),
    429: ("Request was throttled. Expected available in 2 seconds.", ""),
    503: ("No valid token could be had in time; ask again.", ""),
}


class ProblemErrorSerializer(serializers.Serializer[Any]):
    field = serializers.CharField(
        allow_blank=True, help_text="The field or parameter at fault; empty: the whole body."
    )
    detail = serializers.CharField()


class ProblemSerializer(serializers.Serializer[Any]):
    """Problem details (RFC 9457)."""

    type = serializers.CharField()
    title = serializers.CharField()
    status = serializers.IntegerField()
    detail = serializers.CharField()
    errors = ProblemErrorSerializer(many=True)  # type: ignore[assignment] # fields leave the class


class TokenScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    target_class = "accounts.api.authentication.TokenAuthentication"
    name = "token"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        del auto_schema
        return {
            "type": "apiKey",
            "in": "header",
            "name": "Authorization",
            "description": "`Token ` and an API token, as `manage.py api_token` prints it.",
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
    """Describe one operation of the API: what it answers, what it needs, what can go wrong.

    `behind` names the calls of Amazon's that it leads to, or that its data came by.
    """
    return extend_schema(
        operation_id=operation_id,
        summary=summary,
        description="\n\n".join(filter(None, [text, _permission_text(permission), _calls_text(behind)])),
        parameters=[*parameters, *headers],
        request=request,
        responses=_response(response, example, status) | _problems(errors, permission, request),
        examples=[
            OpenApiExample(name, value=value, request_only=True)
            for name, value in (request_examples or {}).items()
        ],
        extensions={"x-permission": permission or None, "x-amazon-calls": list(behind)},
    )


def _permission_text(permission: str) -> str:
    return (
        f"Needs the permission `{permission}`." if permission else "Shows what is yours; needs no permission."
    )


def _calls_text(calls: Sequence[str]) -> str:
    return "\n".join(["At Amazon:", "", *(f"- {call}" for call in calls)]) if calls else ""


def _response(response: Any, example: Any, status: int) -> dict[Any, Any]:
    if isinstance(response, dict):
        return response
    examples = [OpenApiExample("example", value=example, response_only=True, status_codes=[str(status)])]
    return {status: OpenApiResponse(response, description=HTTPStatus(status).phrase, examples=examples)}


def _problems(errors: Sequence[int], permission: str, request: Any) -> dict[Any, Any]:
    statuses = {*ALWAYS, *errors, *({403} if permission else ())}
    if request is not None:
        statuses |= {413, 415}
    return {(status, MEDIA_TYPE): _problem(status) for status in sorted(statuses)}


def _problem(status: int) -> OpenApiResponse:
    detail, field = EXAMPLES[status]
    errors = [{"field": field, "detail": detail.removeprefix(f"{field}: ")}] if field else []
    return OpenApiResponse(
        ProblemSerializer,
        description=(ALWAYS | SOMETIMES)[status],
        examples=[OpenApiExample("problem", value=problem(status, detail, errors), response_only=True)],
    )


@cache
def page_of(serializer: type[serializers.Serializer[Any]]) -> Any:
    """Return the envelope of a list."""
    name = serializer.__name__.removesuffix("Serializer")
    return inline_serializer(
        f"{name}Page",
        {
            "results": serializer(many=True),
            "next": serializers.URLField(allow_null=True, help_text="The next page; null: this is the last."),
            "previous": serializers.URLField(
                allow_null=True, help_text="The page before; null: this is the first."
            ),
        },
    )


def page_example(row: Any) -> dict[str, Any]:
    return {"results": [row], "next": None, "previous": None}


def account_filters() -> list[OpenApiParameter]:
    """Return the parameters of the filter of accounts."""
    return [
        OpenApiParameter(name, type=_any_of(schema) if several else schema, description=text)
        for name, schema, several, text in _filters()
    ]


def filter_object() -> dict[str, Any]:
    """Return the schema of the same filter as an object in a body."""
    properties = {
        name: {"oneOf": [schema, _any_of(schema)]} if several else schema
        for name, schema, several, _ in _filters()
    }
    return {"type": "object", "properties": properties, "additionalProperties": False}


def _filters() -> Iterator[tuple[str, dict[str, Any], bool, str]]:
    """Yield each parameter's name, the schema of one value, whether there may be several, and what it means."""
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


def _any_of(item: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": item, "minItems": 1, "maxItems": MAX_VALUES}


def finish(result: dict[str, Any], **_: Any) -> dict[str, Any]:
    """Say what REST framework's tool knows no way to say: that parameters which are objects come as JSON."""
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
