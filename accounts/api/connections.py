"""Connections: the list, one of them, and what can be done with one. No token is ever part of them."""

from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.api import documentation, examples
from accounts.api.authentication import person
from accounts.api.documentation import describe, page_example, page_of
from accounts.api.exceptions import Conflict
from accounts.api.histories import SyncRunSerializer
from accounts.api.lists import PageParameters, Word, page_response, read_parameters, refuse_body
from accounts.api.representation import Shown
from accounts.lists.pages import KeysetPaginator
from accounts.models import SyncRun
from accounts.sync.requests import request_sync
from amazon_accounts.amazon_ads.hosts import Region
from tokens.connect.disconnect import disconnect_connection
from tokens.errors import ConnectionUnusableError
from tokens.models import Connection
from tokens.refresh.tasks import request_refresh


class ConnectionListParameters(PageParameters):
    state = Word(Connection.State, required=False)


class ConnectionSerializer(Shown):
    id = serializers.UUIDField()
    label = serializers.CharField()  # type: ignore[assignment] # fields leave the class
    owner = serializers.CharField(source="owner.username", help_text="The user name of who connected it.")
    amazon_user = serializers.CharField(
        allow_blank=True, help_text="The Amazon login, as far as Amazon told: mail address, name or id."
    )
    regions = serializers.ListField(child=Word(Region))
    state = Word(Connection.State)
    expires_at = serializers.DateTimeField(allow_null=True, help_text="When its access token expires.")
    consented_at = serializers.DateTimeField(allow_null=True)
    consent_ends_at = serializers.DateTimeField(allow_null=True)
    refresh_count = serializers.IntegerField()
    last_refreshed_at = serializers.DateTimeField(allow_null=True)
    last_synced_at = serializers.DateTimeField(allow_null=True)
    last_error = serializers.CharField(allow_blank=True)


def visible(request: Request) -> QuerySet[Connection]:
    connections = Connection.objects.visible_to(person(request)).select_related("owner")
    return connections.defer("access_token", "refresh_token")


def represented(connection: Connection) -> Any:
    return ConnectionSerializer(connection).data


class ConnectionList(APIView):
    @describe(
        "List connections",
        "The Amazon logins that were connected. Never a token.",
        operation_id="list_connections",
        parameters=[ConnectionListParameters],
        response=page_of(ConnectionSerializer),
        example=page_example(examples.CONNECTION),
    )
    def get(self, request: Request) -> Response:
        given = read_parameters(request, ConnectionListParameters)
        connections = visible(request)
        if "state" in given:
            connections = connections.filter(state=given["state"])
        paginator = KeysetPaginator(connections, "label", given["page_size"])
        return page_response(
            request, paginator, lambda rows: ConnectionSerializer(rows, many=True).data, given.get("cursor")
        )


class ConnectionDetail(APIView):
    @describe(
        "Show a connection",
        operation_id="get_connection",
        response=ConnectionSerializer,
        example=examples.CONNECTION,
        errors=[404],
    )
    def get(self, request: Request, connection_id: UUID) -> Response:
        read_parameters(request, serializers.Serializer)
        return Response(represented(get_object_or_404(visible(request), pk=connection_id)))


class ConnectionRefresh(APIView):
    @describe(
        "Refresh a connection's token",
        "A worker does it at once; `refreshes/` shows what came of it.",
        operation_id="refresh_connection",
        status=202,
        response=ConnectionSerializer,
        example=examples.CONNECTION,
        permission="tokens.refresh_connection",
        errors=[404, 409, 413, 415],
        behind=[documentation.REFRESH],
    )
    def post(self, request: Request, connection_id: UUID) -> Response:
        refuse_body(request)
        connection = get_object_or_404(visible(request), pk=connection_id)
        try:
            request_refresh(person(request), connection)
        except ConnectionUnusableError as error:
            raise Conflict(str(error)) from error
        return Response(represented(connection), status=202)


class ConnectionSync(APIView):
    @describe(
        "Sync a connection's accounts",
        "Joins a sync that waits already. `sync-runs/` shows how it goes.",
        operation_id="sync_connection",
        status=202,
        response=SyncRunSerializer,
        example=examples.RUN,
        permission="accounts.sync_account",
        errors=[404, 409, 413, 415],
        behind=documentation.SYNC,
    )
    def post(self, request: Request, connection_id: UUID) -> Response:
        refuse_body(request)
        connection = get_object_or_404(visible(request), pk=connection_id)
        try:
            run = request_sync(person(request), connection, trigger=SyncRun.Trigger.API)
        except ConnectionUnusableError as error:
            raise Conflict(str(error)) from error
        return Response(SyncRunSerializer(run).data, status=202)


class ConnectionDisconnect(APIView):
    @describe(
        "Disconnect a connection",
        "Erases its tokens. Its accounts and their history stay; nothing changes at Amazon.",
        operation_id="disconnect_connection",
        response=ConnectionSerializer,
        example=examples.CONNECTION | {"state": "disconnected", "expires_at": None},
        permission="tokens.disconnect_connection",
        errors=[404, 413, 415],
    )
    def post(self, request: Request, connection_id: UUID) -> Response:
        refuse_body(request)
        disconnect_connection(person(request), get_object_or_404(visible(request), pk=connection_id))
        return Response(represented(visible(request).get(pk=connection_id)))
