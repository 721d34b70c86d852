"""The team that a person has chosen to see in the lists of the pages. It is kept from one session to the next."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from django.contrib.auth.models import User
from django.db.models import Exists, OuterRef, Q

from tokens.models import ChosenTeam, Team
from tokens.models.team import find_teams


def list_teams(user: User, permission: str) -> tuple[Sequence[Team], UUID | None]:
    """Return the teams in which the person may do this, by name, and the one that they have chosen.

    A chosen team that is none of these is not returned. Costs one query, and none for a person with one team.
    """
    teams = find_teams(user, permission)
    if isinstance(teams, frozenset) and len(teams) < 2:
        return (), None
    chosen = ChosenTeam.objects.filter(user=user.pk, team=OuterRef("pk"))
    found: list[Any] = list(Team.objects.allowing(user, permission).annotate(is_chosen=Exists(chosen)))
    return found, next((team.pk for team in found if team.is_chosen), None)


def where_chosen(user: User, permission: str) -> Q:
    """Return the condition of rows with a team that they have the chosen team, if the person has chosen one."""
    teams = Team.objects.allowing(user, permission)
    chosen = ChosenTeam.objects.filter(user=user.pk, team__in=teams).values("team")
    return ~Exists(chosen) | Q(team__in=chosen)


def remember_team(user: User, team_id: UUID | None) -> None:
    """Keep the choice of the person, who has checked that they see the team. With None they see all their teams."""
    if team_id is None:
        ChosenTeam.objects.filter(user=user.pk).delete()
    else:
        ChosenTeam.objects.update_or_create(user_id=user.pk, defaults={"team_id": team_id})
