"""Access tokens for other services of the company."""

from typing import Any
from uuid import UUID

from django.http import Http404
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.api import documentation, examples
from accounts.api.authentication import TokenAuthentication, get_person
from accounts.api.documentation import describe
from accounts.api.exceptions import UnavailableError
from accounts.api.lists import refuse_body
from accounts.api.throttling import AccessTokenThrottle, PersonThrottle
from amazon_accounts.web.problems import (
    CONNECTION_UNUSABLE,
    CONTENT_TOO_LARGE,
    NOT_FOUND,
    TOKEN_NOT_READY,
    UNSUPPORTED_MEDIA_TYPE,
)
from tokens.models import Connection
from tokens.refresh.access_tokens import TokenNotReadyError, hand_out_access_token
from tokens.sign_in.remote_address import read_remote_address


class AccessTokenSerializer(serializers.Serializer[Any]):
    access_token = serializers.CharField()
    token_type = serializers.CharField()
    expires_at = serializers.DateTimeField()
    client_id = serializers.CharField(help_text="Send it as `Amazon-Advertising-API-ClientId`.")
    hosts = serializers.DictField(
        child=serializers.URLField(),
        help_text="The address of the Amazon Ads API for each region of the login.",
    )


class ConnectionAccessToken(APIView):
    # No session is accepted: a page in a browser needs no access token, and a stolen cookie must not fetch one.
    authentication_classes = [TokenAuthentication]
    throttle_classes = [PersonThrottle, AccessTokenThrottle]

    @describe(
        "Ask for an access token",
        "For other services of your company. Accepts an API token, but no session. Each request is recorded: who"
        " asked for which connection, when and from which address. An access token that expires within a minute is"
        " refreshed first; the request waits for that up to five seconds.",
        operation_id="get_access_token",
        response=AccessTokenSerializer,
        example=examples.ACCESS_TOKEN,
        permission="tokens.use_access_token",
        errors=[NOT_FOUND, CONNECTION_UNUSABLE, CONTENT_TOO_LARGE, UNSUPPORTED_MEDIA_TYPE, TOKEN_NOT_READY],
        behind=[documentation.REFRESH],
    )
    def post(self, request: Request, connection_id: UUID) -> Response:
        refuse_body(request)
        try:
            answer = hand_out_access_token(get_person(request), connection_id, read_remote_address(request))
        except Connection.DoesNotExist:
            raise Http404 from None
        except TokenNotReadyError as error:
            raise UnavailableError(TOKEN_NOT_READY, str(error), wait=error.retry_after) from error
        return Response(AccessTokenSerializer(answer).data, headers={"Cache-Control": "no-store"})
