"""Teams: which team a new row belongs to when nobody says it."""

from collections.abc import Collection
from typing import Any

from django.contrib.auth.models import User

from tokens.models import MAIN, Membership, Team
from tokens.people.roles import Role


class TeamNotChosenError(Exception):
    """It is not known which team is meant. The text says which teams there are."""


def create_main_team(using: str, **_: Any) -> None:
    # Connected to post_migrate: every database has this team, also one that was emptied.
    if not Team.objects.using(using).filter(name__iexact=MAIN).exists():
        Team.objects.using(using).create(name=MAIN)


def let_first_superuser_administer(
    instance: User, using: str, update_fields: Collection[str] | None = None, *, raw: bool = False, **_: Any
) -> None:
    # Connected to the end of each save of a person. Commands and programs make superusers in several ways.
    if raw or not (instance.is_superuser and instance.is_active):
        return
    if update_fields is not None and "is_superuser" not in update_fields:
        return
    main = Team.objects.using(using).filter(name__iexact=MAIN, memberships__isnull=True).first()
    if main is not None:
        Membership.objects.using(using).create(team=main, user=instance, role=Role.ADMINISTRATOR)


def choose_team(user: User, name: str = "") -> Team:
    """Return the team of this name, or the person's only team. A superuser in no team has the team Main.

    Raises TeamNotChosenError for a team that the person is not in, and when a person in several teams names none.
    """
    if name:
        return _find_by_name(user, name)
    own = list(Team.objects.filter(memberships__user=user))
    if len(own) == 1:
        return own[0]
    if own:
        raise TeamNotChosenError(f"{user} is in several teams. Name one of: {_list_names(own)}.")
    if user.is_superuser:
        return Team.objects.get(name__iexact=MAIN)
    raise TeamNotChosenError(
        f"{user} is in no team. A superuser or an administrator of a team can add {user}."
    )


def _find_by_name(user: User, name: str) -> Team:
    visible = Team.objects.visible_to(user)
    team = visible.filter(name__iexact=name).first()
    if team is None:
        known = f"The teams are: {_list_names(list(visible))}." if visible else "There is none."
        raise TeamNotChosenError(f"{user} is in no team with this name. {known}")
    return team


def _list_names(teams: list[Team]) -> str:
    return ", ".join(f"“{team}”" for team in teams)
