"""The filters by team of the admin's lists. They name the teams that the person sees, and no others."""

from typing import Any
from uuid import UUID

from django.contrib.admin import ModelAdmin
from django.db.models import QuerySet
from django.http import Http404, HttpRequest
from unfold.contrib.filters.admin import CheckboxFilter

from tokens.models import Team


class TeamFilter(CheckboxFilter):
    """For rows with a team. It is not shown to people who see one team."""

    title = "team"
    parameter_name = "team"
    # From the row to the team.
    path = "team"

    def lookups(self, request: HttpRequest, _model_admin: "ModelAdmin[Any]") -> list[tuple[str, str]]:
        teams = {team.pk: team.name for team in Team.objects.visible_to(request.user)}
        # Here and not in `queryset`, which is not called for people who see one team.
        if not teams.keys() >= set(_read_ids(self.value() or [])):
            raise Http404
        return [(str(pk), name) for pk, name in teams.items()] if len(teams) > 1 else []

    def queryset(self, _request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        given = self.value()
        return queryset.filter(**{f"{self.path}__in": _read_ids(given)}) if given else queryset


class ConnectionTeamFilter(TeamFilter):
    """For rows that belong to a connection."""

    path = "connection__team"


def _read_ids(texts: list[str]) -> list[UUID]:
    ids = []
    for text in texts:
        try:
            ids.append(UUID(text))
        except ValueError:
            continue
    return ids
