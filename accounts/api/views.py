"""Saved views: filters and ordering of the list of accounts, under a name."""

from typing import Any, Final
from urllib.parse import urlencode
from uuid import UUID

from django.contrib.auth.models import User
from django.core.exceptions import TooManyFieldsSent, ValidationError
from django.http import QueryDict
from django.shortcuts import get_object_or_404
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.api import examples
from accounts.api.authentication import get_person
from accounts.api.connect_links import Text
from accounts.api.documentation import build_page_example, describe, describe_page
from accounts.api.lists import PageParameters, read_parameters, refuse_body, respond_with_rows
from accounts.api.parsing import read_fields
from accounts.api.representation import ReadOnlySerializer, TeamReference
from accounts.api.teams import find_team
from accounts.lists.parameters import DEFAULT_ORDERING, PAGE_ONLY, PAGING, read_account_query
from amazon_accounts.web.problems import CONTENT_TOO_LARGE, NOT_FOUND, UNSUPPORTED_MEDIA_TYPE
from tokens.models import SavedView
from tokens.models.saved_view import MAX_NAME_LENGTH, MAX_QUERY_LENGTH, SavedViewQuerySet
from tokens.people.saved_views import KEEP, SHARE, change_view, remove_view, save_view
from tokens.permissions import read_limits

NEEDS: Final = f"{KEEP}, and {SHARE} for a view of a team"


class ViewSerializer(ReadOnlySerializer):
    id = serializers.UUIDField()
    name = serializers.CharField()
    query = serializers.CharField(
        allow_blank=True, help_text="A query string of the list of accounts, without its question mark."
    )
    team = TeamReference(allow_null=True, help_text="The team that shares it; null if it is your own.")
    created_at = serializers.DateTimeField()


class _ViewFields(serializers.Serializer[Any]):
    name = Text(max_length=MAX_NAME_LENGTH, required=False)
    query = Text(
        max_length=MAX_QUERY_LENGTH,
        allow_blank=True,
        required=False,
        help_text="As in `GET accounts/`, such as `country=DE&ordering=-name`. Pages also take `group`.",
    )


class ViewRequest(_ViewFields):
    name = Text(max_length=MAX_NAME_LENGTH)
    team = serializers.UUIDField(
        required=False,
        help_text="The id of the team that shares it. Without one it is your own; with a key of a team, the team's.",
    )


class ViewList(APIView):
    @describe(
        "List saved views",
        "Your own views, and the views that your teams share, by name.",
        operation_id="list_views",
        parameters=[PageParameters],
        response=describe_page(ViewSerializer),
        example=build_page_example(examples.VIEW),
        permission=KEEP,
    )
    def get(self, request: Request) -> Response:
        given = read_parameters(request, PageParameters)
        return respond_with_rows(request, _find_views(get_person(request)), "name", ViewSerializer, given)

    @describe(
        "Save a view",
        "A view that you or the team have under this name gets the new filters.",
        operation_id="save_view",
        request=ViewRequest,
        request_examples={"a view of your own": {"name": "Germany", "query": "country=DE"}},
        status=201,
        response=ViewSerializer,
        example=examples.VIEW,
        permission=NEEDS,
    )
    def post(self, request: Request) -> Response:
        person, given = get_person(request), read_fields(request.data, ViewRequest)
        is_shared = "team" in given or read_limits(person).team_id is not None
        team = find_team(person, given.get("team")) if is_shared else None
        query = _read_query(given.get("query", ""))
        view = save_view(person, name=given["name"], query=query, team=team)
        return Response(ViewSerializer(view).data, status=201)


class ViewDetail(APIView):
    @describe(
        "Change a saved view",
        "For everybody who has it.",
        operation_id="update_view",
        request=_ViewFields,
        request_examples={"other filters": {"query": "country=AT&country=DE"}},
        response=ViewSerializer,
        example=examples.VIEW,
        permission=NEEDS,
        errors=[NOT_FOUND],
    )
    def patch(self, request: Request, view_id: UUID) -> Response:
        person, given = get_person(request), dict(read_fields(request.data, _ViewFields))
        if "query" in given:
            given["query"] = _read_query(given["query"])
        view = change_view(person, get_object_or_404(_find_views(person), pk=view_id), **given)
        return Response(ViewSerializer(view).data)

    @describe(
        "Delete a saved view",
        "For everybody who has it.",
        operation_id="delete_view",
        status=204,
        response=None,
        permission=NEEDS,
        errors=[NOT_FOUND, CONTENT_TOO_LARGE, UNSUPPORTED_MEDIA_TYPE],
    )
    def delete(self, request: Request, view_id: UUID) -> Response:
        refuse_body(request)
        person = get_person(request)
        remove_view(person, get_object_or_404(_find_views(person), pk=view_id))
        return Response(status=204)


def _find_views(person: User) -> SavedViewQuerySet:
    views = SavedView.objects.visible_to(person).select_related("team")
    # A key of a team is used by others, who need not see the own views of who made it.
    team_id = read_limits(person).team_id
    return views.filter(team=team_id) if team_id else views


def _read_query(text: str) -> str:
    """Return the query string as the pages write it. Raises ValidationError if the list cannot use it."""
    try:
        parameters = QueryDict(text)
    except TooManyFieldsSent:
        raise ValidationError({"query": "It has too many parameters."}) from None
    query = read_account_query(parameters, paging=PAGING, ignored=PAGE_ONLY)
    if errors := query.unknown or query.errors:
        raise ValidationError({"query": [f"{name}: {error}" for name, error in errors.items()]})
    pairs = [(name, value) for name, values in query.given.items() for value in values]
    if query.ordering != DEFAULT_ORDERING:
        pairs.append(("ordering", query.ordering))
    if group := parameters.get("group"):
        pairs.append(("group", group))
    return urlencode(sorted(pairs))
