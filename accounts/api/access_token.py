"""Access tokens for other services of the house."""

from typing import Any
from uuid import UUID

from django.http import Http404
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.api import documentation, examples
from accounts.api.authentication import TokenAuthentication, person
from accounts.api.documentation import describe
from accounts.api.exceptions import Conflict, Unavailable
from accounts.api.lists import refuse_body
from accounts.api.remote_address import remote_address
from accounts.api.throttling import AccessTokenThrottle, PersonThrottle
from tokens.errors import ConnectionUnusableError
from tokens.models import Connection
from tokens.refresh.access import TokenNotReadyError, hand_out_access_token


class AccessTokenSerializer(serializers.Serializer[Any]):
    access_token = serializers.CharField()
    token_type = serializers.CharField()
    expires_at = serializers.DateTimeField()
    client_id = serializers.CharField(help_text="To be sent as `Amazon-Advertising-API-ClientId`.")
    hosts = serializers.DictField(
        child=serializers.URLField(), help_text="Where the Amazon Ads API is, for each region of the login."
    )


class ConnectionAccessToken(APIView):
    # No session: a page in a browser has no use for a token, and a stolen cookie must not fetch one.
    authentication_classes = [TokenAuthentication]
    throttle_classes = [PersonThrottle, AccessTokenThrottle]

    @describe(
        "Ask for an access token",
        "For other services of the house. With an API token alone; who asked for which, when and from where is kept."
        " A token with less than a minute left is refreshed first, which is waited for up to five seconds.",
        operation_id="get_access_token",
        response=AccessTokenSerializer,
        example=examples.ACCESS_TOKEN,
        permission="tokens.use_access_token",
        errors=[404, 409, 413, 415, 503],
        behind=[documentation.REFRESH],
    )
    def post(self, request: Request, connection_id: UUID) -> Response:
        refuse_body(request)
        try:
            answer = hand_out_access_token(person(request), connection_id, remote_address(request))
        except Connection.DoesNotExist:
            raise Http404 from None
        except ConnectionUnusableError as error:
            raise Conflict(str(error)) from error
        except TokenNotReadyError as error:
            raise Unavailable(str(error), wait=error.retry_after) from error
        return Response(AccessTokenSerializer(answer).data, headers={"Cache-Control": "no-store"})
