"""Access tokens for other services of the company."""

from http import HTTPStatus
from typing import Any
from uuid import UUID

import msgspec
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import Http404
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.api import documentation, examples
from accounts.api.authentication import KeyAuthentication, get_person
from accounts.api.documentation import describe
from accounts.api.exceptions import UnavailableError
from accounts.api.lists import refuse_body
from accounts.api.permissions import HoldsPermission
from accounts.api.problems import NOT_FOUND as NOTHING_HERE
from accounts.api.representation import ReadOnlySerializer
from accounts.api.throttling import count_hand_outs
from amazon_accounts.web.problems import (
    CONNECTION_UNUSABLE,
    CONTENT_TOO_LARGE,
    NOT_FOUND,
    TOKEN_NOT_READY,
    UNSUPPORTED_MEDIA_TYPE,
)
from tokens.errors import ConnectionUnusableError
from tokens.models import Connection
from tokens.people.hand_out_pace import HAND_OUTS
from tokens.refresh.hand_out import (
    MAX_CONNECTIONS,
    AccessTokenAnswer,
    NoToken,
    TokenNotReadyError,
    hand_out_access_token,
    hand_out_access_tokens,
    record_refusal,
)

NO_STORE = {"Cache-Control": "no-store"}
LIMIT = (
    f" One key gets {HAND_OUTS.burst:,} access tokens at once, and {HAND_OUTS.per_second:g} more each second; the"
    " headers `RateLimit-Policy` and `RateLimit` say how many are left."
)


class AccessTokenSerializer(ReadOnlySerializer):
    access_token = serializers.CharField()
    token_type = serializers.CharField()
    expires_at = serializers.DateTimeField()
    client_id = serializers.CharField(help_text="Send it as `Amazon-Advertising-API-ClientId`.")
    hosts = serializers.DictField(
        child=serializers.URLField(),
        help_text="The address of the Amazon Ads API for each region of the login.",
    )


class NamedAccessTokenSerializer(AccessTokenSerializer):
    connection = serializers.UUIDField()


class NoTokenSerializer(serializers.Serializer[Any]):
    connection = serializers.UUIDField()
    status = serializers.IntegerField(help_text="As the answer for this connection alone: 404, 409 or 503.")
    detail = serializers.CharField()


class AccessTokensSerializer(ReadOnlySerializer):
    results = NamedAccessTokenSerializer(many=True)
    errors_ = NoTokenSerializer(many=True)


REQUEST = {
    "type": "object",
    "required": ["connection_ids"],
    "properties": {
        "connection_ids": {
            "type": "array",
            "items": {"type": "string", "format": "uuid"},
            "minItems": 1,
            "maxItems": MAX_CONNECTIONS,
            "uniqueItems": True,
        }
    },
    "additionalProperties": False,
}


class MayUseTokens(HoldsPermission):
    # Refuses before the body is read. The audit trail has these refusals too.
    def has_permission(self, request: Request, view: APIView) -> bool:
        try:
            return super().has_permission(request, view)
        except PermissionDenied as error:
            record_refusal(get_person(request), view.kwargs.values(), error)
            raise


class ConnectionAccessToken(APIView):
    # No session is accepted: a page in a browser needs no access token, and a stolen cookie must not fetch one.
    authentication_classes = [KeyAuthentication]
    permission_classes = [MayUseTokens]

    @describe(
        "Ask for an access token",
        "For other services of your company. Accepts an API key, but no session. Each request is recorded: who"
        " asked for which connection, when and from which address. An access token that expires within a minute is"
        f" refreshed first; the request waits for that up to five seconds.{LIMIT}",
        operation_id="get_access_token",
        response=AccessTokenSerializer,
        example=examples.ACCESS_TOKEN,
        permission="tokens.use_access_token",
        errors=[NOT_FOUND, CONNECTION_UNUSABLE, CONTENT_TOO_LARGE, UNSUPPORTED_MEDIA_TYPE, TOKEN_NOT_READY],
        behind=[documentation.REFRESH],
    )
    def post(self, request: Request, connection_id: UUID) -> Response:
        refuse_body(request)
        count_hand_outs(request, 1)
        try:
            answer = hand_out_access_token(get_person(request), connection_id)
        except Connection.DoesNotExist:
            raise Http404 from None
        except TokenNotReadyError as error:
            raise UnavailableError(TOKEN_NOT_READY, str(error), wait=error.retry_after) from error
        return Response(AccessTokenSerializer(answer).data, headers=NO_STORE)


class AccessTokens(APIView):
    authentication_classes = [KeyAuthentication]
    permission_classes = [MayUseTokens]

    @describe(
        "Ask for many access tokens",
        f"For up to {MAX_CONNECTIONS} connections in one request. Each connection is in `results` with its access"
        " token, or in `errors` with the status and the detail that the request for this connection alone would have."
        " Access tokens that expire within a minute are refreshed first; the request waits for all of them together"
        " up to five seconds. For a connection with the status 503, ask again after five seconds."
        f" Each access token is recorded.{LIMIT}",
        operation_id="get_access_tokens",
        request={"application/json": REQUEST},
        request_examples={"two": {"connection_ids": [examples.CONNECTION_ID, examples.OTHER_CONNECTION_ID]}},
        response=AccessTokensSerializer,
        example=examples.ACCESS_TOKENS,
        permission="tokens.use_access_token",
        behind=[documentation.REFRESH],
    )
    def post(self, request: Request) -> Response:
        connection_ids = _read_ids(request.data)
        count_hand_outs(request, len(connection_ids))
        answers = hand_out_access_tokens(get_person(request), connection_ids)
        results = [
            {"connection": str(connection_id), **AccessTokenSerializer(answer).data}
            for connection_id, answer in answers.items()
            if isinstance(answer, AccessTokenAnswer)
        ]
        errors = [
            {"connection": str(connection_id), **_explain(answer)}
            for connection_id, answer in answers.items()
            if not isinstance(answer, AccessTokenAnswer)
        ]
        return Response({"results": results, "errors": errors}, headers=NO_STORE)


def _read_ids(body: Any) -> list[UUID]:
    if not isinstance(body, dict) or body.keys() != {"connection_ids"}:
        raise ValidationError("The body must be a JSON object with `connection_ids` and nothing else.")
    values = body["connection_ids"]
    if not isinstance(values, list) or not 1 <= len(values) <= MAX_CONNECTIONS:
        raise ValidationError({"connection_ids": f"It must be a list of 1 to {MAX_CONNECTIONS} ids."})
    try:
        ids = msgspec.convert(values, list[UUID])
    except msgspec.ValidationError:
        raise ValidationError({"connection_ids": "Each id must be the id of a connection."}) from None
    if len(set(ids)) < len(ids):
        raise ValidationError({"connection_ids": "Each id may be given once."})
    return ids


def _explain(answer: NoToken) -> dict[str, Any]:
    match answer:
        case TokenNotReadyError():
            return {"status": HTTPStatus.SERVICE_UNAVAILABLE, "detail": str(answer)}
        case ConnectionUnusableError():
            return {"status": HTTPStatus.CONFLICT, "detail": str(answer)}
        case _:
            return {"status": HTTPStatus.NOT_FOUND, "detail": NOTHING_HERE}
