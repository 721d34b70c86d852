"""The filter by team of the lists, for people who see more than one team. Their choice is remembered.

`team` in the address is the id of a team, or empty for all teams; it wins and is remembered. Without it the remembered
team is meant, but not in the list of one connection or one object, which has a team already. A team that the person does
not see is not found.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from django.http import Http404

from dashboard.frame.page import StaffRequest
from tokens.models import Team
from tokens.people.chosen_team import list_teams, remember_team

PARAMETER = "team"
# A list that one of these narrows down is about one thing.
OF_ONE = ("connection", "object")


@dataclass(frozen=True)
class TeamLink:
    name: str
    address: str
    current: bool


@dataclass(frozen=True)
class TeamMenu:
    """The filter as a page shows it."""

    title: str
    is_on: bool
    links: list[TeamLink]


@dataclass(frozen=True)
class TeamFilter:
    """The teams that a person may choose from, more than one or none, and the team that the list is filtered by."""

    teams: Sequence[Team] = ()
    team_id: UUID | None = None

    @classmethod
    def read(cls, request: StaffRequest, permission: str) -> "TeamFilter":
        """Read the filter of a list whose rows need this permission, and remember a team that the address names.

        Raises Http404 for a team in which the person may not do this.
        """
        teams, remembered = list_teams(request.user, permission)
        if PARAMETER not in request.GET:
            is_of_one = any(request.GET.get(name) for name in OF_ONE)
            return cls(teams, None if is_of_one else remembered)
        texts = request.GET.getlist(PARAMETER)
        team_id = read_team_id(request, permission)
        # A page that updates itself repeats its address, also after the person has chosen another team elsewhere.
        updates_itself = request.htmx and not request.htmx.boosted
        if teams and team_id != remembered and (team_id or texts == [""]) and not updates_itself:
            remember_team(request.user, team_id)
        return cls(teams, team_id)

    @property
    def is_offered(self) -> bool:
        return len(self.teams) > 1

    @property
    def name(self) -> str:
        return next((team.name for team in self.teams if team.pk == self.team_id), "")

    @property
    def names(self) -> Mapping[UUID, str]:
        return {team.pk: team.name for team in self.teams}

    @property
    def text(self) -> str:
        """The parameter of the team; "" if the list is not filtered by one."""
        return str(self.team_id or "")

    def menu(self, address: str, *, number: int = 1) -> TeamMenu | None:
        """Return what the page shows, if the person has a choice.

        `address` is that of the list with its other filters; `number` is how many teams it is filtered by.
        """
        if not self.is_offered:
            return None
        is_on = self.team_id is not None or number > 1
        joint = "" if address.endswith("?") else "&" if "?" in address else "?"
        links = [TeamLink("All teams", f"{address}{joint}{PARAMETER}=", not is_on)]
        links += [
            TeamLink(team.name, f"{address}{joint}{PARAMETER}={team.pk}", team.pk == self.team_id)
            for team in self.teams
        ]
        return TeamMenu(
            title=self.name or (f"{number} teams" if is_on else "All teams"), is_on=is_on, links=links
        )


def read_team_id(request: StaffRequest, permission: str) -> UUID | None:
    """Return the one team that the address names, or None. Raises Http404 unless the person may do this in the team."""
    texts = request.GET.getlist(PARAMETER)
    try:
        team_id = UUID(texts[0]) if len(texts) == 1 else None
    except ValueError:
        return None
    if team_id and not Team.objects.allowing(request.user, permission).filter(pk=team_id).exists():
        raise Http404
    return team_id
