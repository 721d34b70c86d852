"""Memberships that single sign-on gives, changes and takes, as OIDC_TEAM_ROLES says.

Memberships that a person has given or changed stay as they are.
"""

import logging
from collections.abc import Collection, Iterable, Mapping

from django.conf import settings
from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import Q

from tokens.models import Membership, Team
from tokens.people.audit import Action, record_audit
from tokens.people.roles import includes
from tokens.people.teams import name_member
from tokens.permissions import SYSTEM

logger = logging.getLogger("tokens.sign_in")

Source = Membership.Source
# In the audit trail, besides what has changed.
WHY = {"by": "single sign-on"}


def follow_groups(person: User, groups: Collection[str] | None) -> None:
    """Let the memberships of a person who signs in follow the groups that the provider names.

    Without a list of groups nothing changes. The last administrator of a team loses the role too: what the provider
    says does not depend on who else is there.
    """
    if not settings.OIDC_TEAM_ROLES:
        return
    if groups is None:
        logger.warning(
            "The provider sent no list of groups in the claim %a for %a; the memberships stay as they are.",
            settings.OIDC_GROUPS_CLAIM,
            person.username,
        )
        return
    teams = find_teams_of_groups()
    wanted: dict[Team, str] = {}
    for group, (name, role) in settings.OIDC_TEAM_ROLES.items():
        team = teams.get(name)
        if group in groups and team is not None and includes(role, wanted.get(team, role)):
            wanted[team] = role
    problem = describe_missing(teams)
    if problem:
        # One of them may be a team of the person that was renamed.
        logger.warning("%s", problem)
    _follow(person, wanted, takes=not problem)


def find_teams_of_groups() -> dict[str, Team | None]:
    """Return the team of each name in OIDC_TEAM_ROLES, or None if there is none."""
    names = {name for name, _ in settings.OIDC_TEAM_ROLES.values()}
    return {name: Team.objects.filter(name__iexact=name).first() for name in sorted(names)}


def describe_missing(teams: Mapping[str, Team | None]) -> str:
    """Return what it means that some of the teams of OIDC_TEAM_ROLES are missing; "" if all are there."""
    missing = [name for name, team in teams.items() if team is None]
    if not missing:
        return ""
    return (
        f"OIDC_TEAM_ROLES names teams that do not exist: {quote(missing)}. "
        "Until it is right, no sign-in takes a membership."
    )


def quote(names: Iterable[str]) -> str:
    return ", ".join(ascii(name) for name in names)


@transaction.atomic
def _follow(person: User, wanted: dict[Team, str], *, takes: bool) -> None:
    given = Membership.objects.filter(user=person, source=Source.SINGLE_SIGN_ON)
    # As for a change by a person. In one order, so that two sign-ins never wait for each other.
    concerned = Q(pk__in=[team.pk for team in wanted]) | Q(pk__in=given.values("team"))
    list(Team.objects.select_for_update(no_key=True).filter(concerned).order_by("pk"))
    known = {row.team_id: row for row in Membership.objects.filter(user=person).select_related("team")}
    for team, role in wanted.items():
        membership = known.pop(team.pk, None)
        if membership is None:
            Membership.objects.create(team=team, user=person, role=role, source=Source.SINGLE_SIGN_ON)
            record_audit(SYSTEM, Action.MEMBER_ADD, name_member(team, person), after={"role": role, **WHY})
        elif membership.source == Source.SINGLE_SIGN_ON and membership.role != role:
            Membership.objects.filter(pk=membership.pk).update(role=role)
            record_audit(
                SYSTEM,
                Action.MEMBER_UPDATE,
                name_member(team, person),
                before={"role": membership.role},
                after={"role": role, **WHY},
            )
    for membership in known.values():
        if takes and membership.source == Source.SINGLE_SIGN_ON:
            membership.delete()
            member = name_member(membership.team, person)
            record_audit(SYSTEM, Action.MEMBER_REMOVE, member, before={"role": membership.role}, after=WHY)
    if wanted and User.objects.filter(pk=person.pk, is_staff=False).update(is_staff=True):
        person.is_staff = True
        now = {"is_staff": True, **WHY}
        record_audit(SYSTEM, Action.PERSON_UPDATE, person, before={"is_staff": False}, after=now)
