"""Connections: the list, one connection, and what people can do with it. No answer contains a token."""

from typing import Any
from uuid import UUID

from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.api import documentation, examples
from accounts.api.authentication import get_person
from accounts.api.documentation import build_page_example, describe, describe_filters, describe_page
from accounts.api.histories import SyncRunSerializer
from accounts.api.lists import (
    DEFAULT_PAGE_SIZE,
    PageParameters,
    Word,
    read_parameters,
    refuse_body,
    respond_with_page,
)
from accounts.api.parsing import read_field
from accounts.api.representation import ReadOnlySerializer, TeamReference
from accounts.lists.connection_filters import filter_connections
from accounts.lists.connection_pages import paginate_connections
from accounts.lists.connection_parameters import (
    DEFAULT_ORDERING,
    ORDERINGS,
    ConnectionFilterSet,
    read_connection_query,
)
from accounts.lists.parameters import PAGING
from accounts.models import SyncRun
from accounts.sync.requests import request_sync
from amazon_accounts.amazon_ads.hosts import Region
from amazon_accounts.web.problems import (
    CONNECTION_UNUSABLE,
    CONTENT_TOO_LARGE,
    MOVE_REFUSED,
    NOT_FOUND,
    UNSUPPORTED_MEDIA_TYPE,
)
from tokens.connect.disconnect import disconnect_connection
from tokens.connect.move import move_connection
from tokens.connect.update import MAX_EMAIL_LENGTH, MAX_LABEL_LENGTH, update_connection
from tokens.models import Connection, Team
from tokens.permissions import require
from tokens.refresh.tasks import request_refresh


class ConnectionListParameters(PageParameters):
    ordering = Word(
        ORDERINGS,
        default=DEFAULT_ORDERING,
        help_text="`-` before the name sorts in descending order. Equal values are ordered by id. Ascending, what was "
        "never synced comes first; what has no end, or none that is known, comes last.",
    )


class ConnectionSerializer(ReadOnlySerializer):
    id = serializers.UUIDField()
    label_ = serializers.CharField()
    labels = serializers.DictField(child=serializers.CharField(allow_blank=True))
    contact_email = serializers.CharField(allow_blank=True, help_text="Whom to ask to renew the login.")
    team = TeamReference()
    owner = serializers.CharField(
        source="owner.username", help_text="The user name of the person who is responsible for it."
    )
    amazon_user = serializers.CharField(
        allow_blank=True, help_text="What Amazon says of the login: its e-mail address, name or id."
    )
    regions = serializers.ListField(child=Word(Region))
    state = Word(Connection.State)
    paused = serializers.BooleanField(help_text="A paused connection is not synced; its token is refreshed.")
    expires_at = serializers.DateTimeField(allow_null=True, help_text="When its access token expires.")
    consented_at = serializers.DateTimeField(allow_null=True)
    consent_ends_at = serializers.DateTimeField(allow_null=True)
    refresh_count = serializers.IntegerField()
    last_refreshed_at = serializers.DateTimeField(allow_null=True)
    last_synced_at = serializers.DateTimeField(allow_null=True)
    last_error = serializers.CharField(allow_blank=True)


def _select_shown(connections: QuerySet[Connection]) -> QuerySet[Connection]:
    return connections.select_related("owner", "team").defer("access_token", "refresh_token")


def _get_visible(request: Request, connection_id: UUID) -> Connection:
    connections = Connection.objects.visible_to(get_person(request))
    return get_object_or_404(_select_shown(connections), pk=connection_id)


class ConnectionList(APIView):
    @describe(
        "List connections",
        "The connected Amazon logins. The answer never contains a token. Pages have no numbers: follow `next`. The query"
        " string of the connections page in the dashboard is valid here, too.",
        operation_id="list_connections",
        parameters=[*describe_filters(ConnectionFilterSet), ConnectionListParameters],
        response=describe_page(ConnectionSerializer),
        example=build_page_example(examples.CONNECTION),
        errors=[NOT_FOUND],
    )
    def get(self, request: Request) -> Response:
        query = read_connection_query(request.query_params, paging=PAGING).check()
        connections = _select_shown(filter_connections(get_person(request), query))
        paginator = paginate_connections(connections, query.ordering, query.page_size or DEFAULT_PAGE_SIZE)
        return respond_with_page(request, paginator, ConnectionSerializer, query.cursor)


class ConnectionChangesRequest(serializers.Serializer[Any]):
    # `label` is an attribute of every serializer.
    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        return {name.removesuffix("_"): field for name, field in super().get_fields().items()}

    label_ = serializers.CharField(
        required=False, max_length=MAX_LABEL_LENGTH, help_text="Without control characters."
    )
    labels = serializers.DictField(
        child=serializers.CharField(allow_blank=True, allow_null=True, max_length=256),
        required=False,
        help_text="A string sets a label, null removes it. Other labels stay. There are at most 64 labels.",
    )
    contact_email = serializers.CharField(
        required=False,
        allow_blank=True,
        max_length=MAX_EMAIL_LENGTH,
        help_text="Whom to ask to renew the login: one e-mail address, or empty.",
    )
    paused = serializers.BooleanField(
        required=False,
        help_text="A pause ends the sync under way, and nothing is synced until the connection is resumed. Its token is "
        "refreshed and handed out all the same.",
    )
    regions = serializers.ListField(
        child=Word(Region),
        required=False,
        min_length=1,
        max_length=len(Region.values),
        help_text="The regions that are read. If they change, a sync is queued.",
    )
    consented_on = serializers.DateField(
        required=False,
        allow_null=True,
        help_text="The day on which the login consented at Amazon, from which its end follows; null if nobody knows it. "
        "Only where the login did not consent here, which tells the moment.",
    )
    owner = serializers.CharField(
        required=False,
        max_length=150,
        help_text="The user name of the person who is to be responsible: an active member of the team, or a superuser.",
    )


class ConnectionDetail(APIView):
    @describe(
        "Show a connection",
        operation_id="get_connection",
        response=ConnectionSerializer,
        example=examples.CONNECTION,
        errors=[NOT_FOUND],
    )
    def get(self, request: Request, connection_id: UUID) -> Response:
        read_parameters(request, serializers.Serializer)
        return Response(ConnectionSerializer(_get_visible(request, connection_id)).data)

    @describe(
        "Change what people say about a connection, or pause it",
        "Fields that are left out stay as they are. Other regions are synced at once; the accounts of a region that "
        "is left out stay in the list and are no longer updated.",
        operation_id="update_connection",
        request=ConnectionChangesRequest,
        request_examples={
            "a label": {"label": "Nordwind"},
            "labels and contact": {
                "labels": {"client": "acme", "old": None},
                "contact_email": "it@acme.example",
            },
            "regions": {"regions": ["NA", "EU"]},
            "a pause": {"paused": True},
            "the day of a consent": {"consented_on": "2026-08-01"},
            "another person": {"owner": "ana"},
        },
        response=ConnectionSerializer,
        example=examples.CONNECTION,
        permission="tokens.connect_amazon",
        errors=[NOT_FOUND],
    )
    def patch(self, request: Request, connection_id: UUID) -> Response:
        update_connection(get_person(request), _get_visible(request, connection_id), request.data)
        return Response(ConnectionSerializer(_get_visible(request, connection_id)).data)


class ConnectionRefresh(APIView):
    @describe(
        "Refresh a connection's token",
        "A worker refreshes it at once; `refreshes/` shows the outcome.",
        operation_id="refresh_connection",
        status=202,
        response=ConnectionSerializer,
        example=examples.CONNECTION,
        permission="tokens.refresh_connection",
        errors=[NOT_FOUND, CONNECTION_UNUSABLE, CONTENT_TOO_LARGE, UNSUPPORTED_MEDIA_TYPE],
        behind=[documentation.REFRESH],
    )
    def post(self, request: Request, connection_id: UUID) -> Response:
        refuse_body(request)
        connection = _get_visible(request, connection_id)
        request_refresh(get_person(request), connection)
        return Response(ConnectionSerializer(connection).data, status=202)


class ConnectionSync(APIView):
    @describe(
        "Sync a connection's accounts",
        "If a sync of the connection waits already, that sync is the answer. `sync-runs/` shows its progress.",
        operation_id="sync_connection",
        status=202,
        response=SyncRunSerializer,
        example=examples.RUN,
        permission="accounts.sync_account",
        errors=[NOT_FOUND, CONNECTION_UNUSABLE, CONTENT_TOO_LARGE, UNSUPPORTED_MEDIA_TYPE],
        behind=documentation.SYNC,
    )
    def post(self, request: Request, connection_id: UUID) -> Response:
        refuse_body(request)
        connection = _get_visible(request, connection_id)
        run = request_sync(get_person(request), connection, trigger=SyncRun.Trigger.API)
        return Response(SyncRunSerializer(run).data, status=202)


class ConnectionDisconnect(APIView):
    @describe(
        "Disconnect a connection",
        "Erases its tokens. Its accounts and their history stay; nothing changes at Amazon.",
        operation_id="disconnect_connection",
        response=ConnectionSerializer,
        example=examples.CONNECTION | {"state": "disconnected", "expires_at": None},
        permission="tokens.disconnect_connection",
        errors=[NOT_FOUND, CONTENT_TOO_LARGE, UNSUPPORTED_MEDIA_TYPE],
    )
    def post(self, request: Request, connection_id: UUID) -> Response:
        refuse_body(request)
        disconnect_connection(get_person(request), _get_visible(request, connection_id))
        return Response(ConnectionSerializer(_get_visible(request, connection_id)).data)


class MoveRequest(serializers.Serializer[Any]):
    team = serializers.UUIDField(help_text="The id of the team that gets the connection.")


def _find_team(person: User, value: Any) -> Team:
    try:
        return Team.objects.visible_to(person).get(pk=UUID(value))
    except (Team.DoesNotExist, ValueError, TypeError, AttributeError):
        raise ValidationError({"team": "It must be the id of one of your teams."}) from None


class ConnectionMove(APIView):
    @describe(
        "Move a connection to another team",
        "Its accounts, their labels and the history go along. An account that the other team has already goes on there "
        "with its own values, and gets the other labels. An account that another connection of the old team sees stays "
        "there, and appears in the other team too. You must also be allowed to connect logins in the other team.",
        operation_id="move_connection",
        request=MoveRequest,
        request_examples={"another team": {"team": examples.TEAM["id"]}},
        response=ConnectionSerializer,
        example=examples.CONNECTION,
        permission="tokens.move_connection",
        errors=[NOT_FOUND, MOVE_REFUSED],
    )
    def post(self, request: Request, connection_id: UUID) -> Response:
        person = get_person(request)
        connection = _get_visible(request, connection_id)
        require(person, "tokens.move_connection", connection)
        move_connection(person, connection, _find_team(person, read_field(request.data, "team")))
        return Response(ConnectionSerializer(_get_visible(request, connection_id)).data)
