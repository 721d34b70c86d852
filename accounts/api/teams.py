"""Teams and their members."""

from typing import Any
from uuid import UUID

from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.http import Http404
from django.shortcuts import get_object_or_404
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.api import examples
from accounts.api.authentication import get_person
from accounts.api.documentation import build_page_example, describe, describe_page
from accounts.api.lists import PageParameters, Word, read_parameters, refuse_body, respond_with_rows
from accounts.api.parsing import read_field
from accounts.api.representation import ReadOnlySerializer
from amazon_accounts.web.problems import CONTENT_TOO_LARGE, NOT_FOUND, UNSUPPORTED_MEDIA_TYPE
from tokens.models import Membership, Team
from tokens.models.team import MAIN, MAX_NAME_LENGTH
from tokens.people.roles import Role
from tokens.people.teams import create_team, remove_member, rename_team, set_member
from tokens.permissions import read_limits, require


class TeamSerializer(ReadOnlySerializer):
    id = serializers.UUIDField()
    name = serializers.CharField()
    created_at = serializers.DateTimeField()


class MemberSerializer(ReadOnlySerializer):
    user = serializers.CharField(source="user.username", help_text="The user name.")
    role = Word(Role)
    source_ = Word(Membership.Source, help_text="Who gave the membership.")
    created_at = serializers.DateTimeField()


class TeamRequest(serializers.Serializer[Any]):
    name = serializers.CharField(max_length=MAX_NAME_LENGTH)


class MemberRequest(serializers.Serializer[Any]):
    role = Word(Role)


def _get_visible(request: Request, team_id: UUID) -> Team:
    return get_object_or_404(Team.objects.visible_to(get_person(request)), pk=team_id)


def find_team(person: User, team_id: UUID | None) -> Team:
    """Return the team that a request means: the one that it names, or the only one of the person or their key.

    Raises ValidationError.
    """
    team_id = team_id or read_limits(person).team_id
    teams = Team.objects.visible_to(person)
    if team_id is not None:
        found = list(teams.filter(pk=team_id))
    else:
        found = list(teams.filter(memberships__user=person)[:2])
        if not found and person.is_superuser:
            found = list(teams.filter(name__iexact=MAIN))
    if len(found) != 1:
        raise ValidationError({"team": "It must be the id of one of your teams."})
    return found[0]


class TeamList(APIView):
    @describe(
        "List teams",
        "Your teams; all teams for a superuser.",
        operation_id="list_teams",
        parameters=[PageParameters],
        response=describe_page(TeamSerializer),
        example=build_page_example(examples.TEAM | {"created_at": "2026-11-20T08:00:00Z"}),
    )
    def get(self, request: Request) -> Response:
        given = read_parameters(request, PageParameters)
        return respond_with_rows(
            request, Team.objects.visible_to(get_person(request)), "name", TeamSerializer, given
        )

    @describe(
        "Make a team",
        "For superusers.",
        operation_id="create_team",
        request=TeamRequest,
        request_examples={"a team": {"name": "North"}},
        status=201,
        response=TeamSerializer,
        example=examples.TEAM | {"created_at": "2026-11-20T08:00:00Z"},
        permission="tokens.add_team",
    )
    def post(self, request: Request) -> Response:
        team = create_team(get_person(request), read_field(request.data, "name"))
        team.refresh_from_db()
        return Response(TeamSerializer(team).data, status=201)


class TeamDetail(APIView):
    @describe(
        "Rename a team",
        "For superusers. The team Main keeps its name.",
        operation_id="rename_team",
        request=TeamRequest,
        request_examples={"a name": {"name": "North"}},
        response=TeamSerializer,
        example=examples.TEAM | {"created_at": "2026-11-20T08:00:00Z"},
        permission="tokens.change_team",
        errors=[NOT_FOUND],
    )
    def patch(self, request: Request, team_id: UUID) -> Response:
        team = _get_visible(request, team_id)
        rename_team(get_person(request), team, read_field(request.data, "name"))
        return Response(TeamSerializer(team).data)


class MemberList(APIView):
    @describe(
        "List the members of a team",
        operation_id="list_members",
        parameters=[PageParameters],
        response=describe_page(MemberSerializer),
        example=build_page_example(examples.MEMBER),
        errors=[NOT_FOUND],
    )
    def get(self, request: Request, team_id: UUID) -> Response:
        given = read_parameters(request, PageParameters)
        members = Membership.objects.filter(team=_get_visible(request, team_id)).select_related("user")
        return respond_with_rows(request, members, "created_at", MemberSerializer, given)


class MemberDetail(APIView):
    @describe(
        "Add a member, or change the role",
        "Nobody gives a role above their own, and a team always has an administrator.",
        operation_id="set_member",
        request=MemberRequest,
        request_examples={"a role": {"role": "operator"}},
        response=MemberSerializer,
        example=examples.MEMBER,
        permission="tokens.manage_members",
        errors=[NOT_FOUND],
    )
    def put(self, request: Request, team_id: UUID, user_name: str) -> Response:
        team = _get_visible(request, team_id)
        # Before the person is looked up, so that only an administrator learns who there is.
        require(get_person(request), "tokens.manage_members", team)
        person = get_object_or_404(User, username=user_name)
        set_member(get_person(request), team, person, read_field(request.data, "role"))
        return Response(MemberSerializer(Membership.objects.get(team=team, user=person)).data)

    @describe(
        "Remove a member, or leave a team",
        "What belongs to the team stays with it. The last administrator cannot be removed. Everybody may leave; removing"
        " others needs `tokens.manage_members`.",
        operation_id="remove_member",
        status=204,
        response=None,
        example=None,
        permission="tokens.view_team",
        errors=[NOT_FOUND, CONTENT_TOO_LARGE, UNSUPPORTED_MEDIA_TYPE],
    )
    def delete(self, request: Request, team_id: UUID, user_name: str) -> Response:
        refuse_body(request)
        team = _get_visible(request, team_id)
        user = get_person(request)
        if user.get_username() != user_name:
            require(user, "tokens.manage_members", team)
        try:
            remove_member(user, team, get_object_or_404(User, username=user_name))
        except Membership.DoesNotExist:
            raise Http404 from None
        return Response(status=204)
