"""Client links, by which somebody without a login here connects or renews an Amazon login."""

from typing import Any
from uuid import UUID

from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.shortcuts import get_object_or_404
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.api import examples
from accounts.api.access_token import NO_STORE
from accounts.api.authentication import get_person
from accounts.api.documentation import build_page_example, describe, describe_page
from accounts.api.lists import PageParameters, Word, read_parameters, refuse_body, respond_with_rows
from accounts.api.parsing import read_fields
from accounts.api.representation import ReadOnlySerializer, TeamReference
from accounts.api.teams import find_team
from amazon_accounts.amazon_ads.hosts import Region
from amazon_accounts.configuration.languages import CLIENT_LANGUAGES
from amazon_accounts.web.problems import CONTENT_TOO_LARGE, NOT_FOUND, UNSUPPORTED_MEDIA_TYPE
from tokens.connect.links import MAX_DAYS, USUAL_DAYS, make_connect_link, revoke_connect_link
from tokens.connect.update import MAX_LABEL_LENGTH
from tokens.models import Connection, ConnectLink
from tokens.models.connect_link import MAX_ADDRESS_LENGTH

VIEW = "tokens.view_connectlink"
MAKE = "tokens.connect_amazon"
LANGUAGES = [code for code, _ in CLIENT_LANGUAGES]


class ConnectLinkSerializer(ReadOnlySerializer):
    id = serializers.UUIDField()
    team = TeamReference()
    label_ = serializers.CharField()
    connection = serializers.UUIDField(
        source="connection_id", allow_null=True, help_text="The one that the link renews."
    )
    email = serializers.CharField(allow_blank=True)
    language = Word(LANGUAGES)
    regions = serializers.ListField(child=Word(Region))
    owner = serializers.CharField(
        source="owner.username", help_text="Who made it, and is responsible for what it connects."
    )
    state = Word(ConnectLink.State)
    created_at = serializers.DateTimeField()
    ends_at = serializers.DateTimeField()
    mailed_at = serializers.DateTimeField(allow_null=True)
    used_at = serializers.DateTimeField(allow_null=True)
    connected = serializers.UUIDField(
        source="connected_id", allow_null=True, help_text="The connection that the link gave or renewed."
    )
    came_back_as = serializers.CharField(
        allow_blank=True, help_text="The other login with which the last try to renew came back."
    )


class NewConnectLinkSerializer(ConnectLinkSerializer):
    url = serializers.CharField(
        allow_null=True,
        help_text="The link. It is shown this once. With `email` it is null: only the mail has the link.",
    )


class Text(serializers.CharField):
    def to_internal_value(self, data: Any) -> str:
        # REST framework also takes numbers.
        if not isinstance(data, str):
            raise serializers.ValidationError("It must be a text.")
        return super().to_internal_value(data)


class ConnectLinkRequest(serializers.Serializer[Any]):
    # `label` is an attribute of every serializer.
    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        return {name.removesuffix("_"): field for name, field in super().get_fields().items()}

    team = serializers.UUIDField(
        required=False, help_text="The id of the team. It can be left out by who is in one team."
    )
    label_ = Text(
        max_length=MAX_LABEL_LENGTH,
        help_text="Whose ad accounts it is about. The client reads it, and a new connection has it as its label.",
    )
    connection = serializers.UUIDField(
        required=False,
        allow_null=True,
        help_text="The id of a connection of the team that is to be renewed, by the same login alone.",
    )
    email = Text(
        required=False,
        allow_blank=True,
        max_length=MAX_ADDRESS_LENGTH,
        help_text="Where the link is sent to.",
    )
    regions = serializers.ListField(
        child=Word(Region),
        required=False,
        min_length=1,
        max_length=len(Region.values),
        help_text="The regions of a new connection; all if left out. A renewal leaves them as they are.",
    )
    days = serializers.IntegerField(
        required=False,
        min_value=1,
        max_value=MAX_DAYS,
        help_text=f"How long it works: {USUAL_DAYS} if left out.",
    )
    language = Word(LANGUAGES, required=False, help_text="Of the mail: `en` if left out.")


def _find_connection(person: User, connection_id: UUID | None) -> Connection | None:
    if connection_id is None:
        return None
    connections = Connection.objects.visible_to(person).select_related("team")
    found = connections.defer("access_token", "refresh_token").filter(pk=connection_id).first()
    if found is None:
        raise ValidationError({"connection": "It must be the id of one of your connections."})
    return found


class ConnectLinkList(APIView):
    @describe(
        "List client links",
        "Newest first, until 90 days after their end. Only the answer to `POST` has the link itself.",
        operation_id="list_connect_links",
        parameters=[PageParameters],
        response=describe_page(ConnectLinkSerializer),
        example=build_page_example(examples.CONNECT_LINK),
        permission=VIEW,
    )
    def get(self, request: Request) -> Response:
        given = read_parameters(request, PageParameters)
        links = ConnectLink.objects.visible_to(get_person(request)).select_related("team", "owner")
        return respond_with_rows(request, links, "-created_at", ConnectLinkSerializer, given)

    @describe(
        "Make a client link",
        "The person who opens the link connects one Amazon login with the team, and needs no login here. You are "
        "responsible for the connection. With `connection` the link renews this connection, and accepts no other login.",
        operation_id="create_connect_link",
        request=ConnectLinkRequest,
        request_examples={
            "a link to pass on": {"label": "Copperleaf", "regions": ["EU"]},
            "a renewal by mail": {
                "label": "Copperleaf",
                "connection": examples.CONNECTION_ID,
                "email": "ads@copperleaf.example",
            },
        },
        status=201,
        response=NewConnectLinkSerializer,
        example=examples.CONNECT_LINK | {"url": examples.CONNECT_LINK_URL},
        permission=MAKE,
    )
    def post(self, request: Request) -> Response:
        person, given = get_person(request), dict(read_fields(request.data, ConnectLinkRequest))
        connection = _find_connection(person, given.pop("connection", None))
        team_id = given.pop("team", None)
        team = connection.team if connection and team_id is None else find_team(person, team_id)
        link, url = make_connect_link(person, team, connection=connection, **given)
        return Response({**ConnectLinkSerializer(link).data, "url": url}, status=201, headers=NO_STORE)


class ConnectLinkRevoke(APIView):
    @describe(
        "Revoke a client link",
        "It opens nothing any more. A link that has ended stays as it is.",
        operation_id="revoke_connect_link",
        response=ConnectLinkSerializer,
        example=examples.CONNECT_LINK | {"state": "revoked"},
        permission=MAKE,
        errors=[NOT_FOUND, CONTENT_TOO_LARGE, UNSUPPORTED_MEDIA_TYPE],
    )
    def post(self, request: Request, link_id: UUID) -> Response:
        refuse_body(request)
        links = ConnectLink.objects.visible_to(get_person(request)).select_related("team", "owner")
        link = get_object_or_404(links, pk=link_id)
        revoke_connect_link(get_person(request), link)
        return Response(ConnectLinkSerializer(link).data)
