"""Teams and their members: making, naming, adding, removing, and which team is meant when nobody says it."""

from collections.abc import Collection
from typing import Any

from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import IntegrityError, transaction

from amazon_accounts.visible_text import UNPRINTABLE
from tokens.models import MAIN, Membership, Team
from tokens.models.team import MAX_NAME_LENGTH, read_roles
from tokens.people.audit import Action, AuditedObject, record_audit
from tokens.people.roles import Role, includes
from tokens.permissions import System, get_person, may_everything, require


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


def clean_team_name(value: Any) -> str:
    """Return the name without blanks at its ends. Raises ValidationError."""
    if not isinstance(value, str):
        raise ValidationError({"name": "It must be a text."})
    name = value.strip()
    if not 0 < len(name) <= MAX_NAME_LENGTH:
        raise ValidationError({"name": f"It must have 1 to {MAX_NAME_LENGTH} characters."})
    if UNPRINTABLE.search(name):
        raise ValidationError({"name": "It must have no line breaks and no other control characters."})
    return name


def create_team(user: User | System, name: Any) -> Team:
    """Make a team. Raises PermissionDenied for everybody but superusers, and ValidationError."""
    _require_superuser(user, "tokens.add_team")
    team = Team(name=clean_team_name(name))
    with transaction.atomic():
        _save(team)
        record_audit(user, Action.TEAM_MAKE, team)
    return team


def rename_team(user: User | System, team: Team, name: Any) -> None:
    """Give the team another name. Raises PermissionDenied for everybody but superusers, and ValidationError."""
    _require_superuser(user, "tokens.change_team")
    cleaned = clean_team_name(name)
    if team.name == MAIN and cleaned != MAIN:
        raise ValidationError({"name": f"Every database has the team {MAIN}, so it keeps its name."})
    before, team.name = team.name, cleaned
    with transaction.atomic():
        _save(team)
        record_audit(user, Action.TEAM_RENAME, team, before={"name": before}, after={"name": cleaned})


def _require_superuser(user: User | System, permission: str) -> None:
    # No role allows it, and neither does a key with limits.
    if not may_everything(user):
        raise PermissionDenied(permission)


def _save(team: Team) -> None:
    try:
        with transaction.atomic():
            team.save()
    except IntegrityError:
        # The constraint one_team_per_name.
        raise ValidationError({"name": f"There is a team “{team.name}” already."}) from None


@transaction.atomic
def set_member(user: User | System, team: Team, person: User, role: Any) -> bool:
    """Give the person this role in the team; return whether the person is a new member.

    Raises PermissionDenied, and ValidationError for a role above that of the user, a person who is not active, and the
    last administrator.
    """
    require(user, "tokens.manage_members", team)
    check_role(role)
    if not person.is_active:
        raise ValidationError(f"{person} is not active.")
    # Of two administrators who remove each other, the second must find the first.
    Team.objects.select_for_update(no_key=True).get(pk=team.pk)
    membership = Membership.objects.filter(team=team, user=person).first()
    refuse_above(user, team, role if membership is None else membership.role, role)
    if membership is None:
        Membership.objects.create(team=team, user=person, role=role)
        record_audit(user, Action.MEMBER_ADD, name_member(team, person), after={"role": role})
        return True
    if role != Role.ADMINISTRATOR:
        _refuse_last_administrator(membership)
    before = membership.role
    membership.role, membership.source = role, Membership.Source.PERSON
    membership.save(update_fields=["role", "source"])
    member = name_member(team, person)
    record_audit(user, Action.MEMBER_UPDATE, member, before={"role": before}, after={"role": role})
    return False


@transaction.atomic
def remove_member(user: User | System, team: Team, person: User) -> None:
    """End the membership of the person, who may be the user. What belongs to the team stays with it.

    Raises PermissionDenied, Membership.DoesNotExist, and ValidationError for the last administrator.
    """
    if get_person(user) != person:
        require(user, "tokens.manage_members", team)
    Team.objects.select_for_update(no_key=True).get(pk=team.pk)
    membership = Membership.objects.get(team=team, user=person)
    _refuse_last_administrator(membership)
    membership.delete()
    record_audit(user, Action.MEMBER_REMOVE, name_member(team, person), before={"role": membership.role})


def give_role_at_least(team: Team, person: User, role: str) -> tuple[str | None, str]:
    """Let the person have this role in the team or a higher one; return the role before, if any, and the role now.

    The caller has checked everything, holds the lock of the team, and records it.
    """
    membership = Membership.objects.filter(team=team, user=person).first()
    if membership is None:
        Membership.objects.create(team=team, user=person, role=role)
        return None, role
    before = membership.role
    if includes(role, before):
        membership.role = role
    membership.source = Membership.Source.PERSON
    membership.save(update_fields=["role", "source"])
    return before, membership.role


def find_first_administrator(team: Team) -> User | None:
    """Return who has administered the team longest and can do so now, or else a superuser."""
    membership = Membership.objects.administering().filter(team=team).order_by("created_at", "pk").first()
    if membership is not None:
        return membership.user
    return User.objects.filter(is_superuser=True, is_active=True).order_by("pk").first()


def name_member(team: Team, person: User) -> AuditedObject:
    """Return a membership as the audit trail names it."""
    return AuditedObject("member", str(person.pk), person.get_username(), team.pk)


def check_role(role: Any) -> None:
    """Raise ValidationError unless it is a role of people."""
    if role not in Role.values:
        raise ValidationError({"role": f"It must be one of: {', '.join(Role.values)}."})


def refuse_above(user: User | System, team: Team, *roles: str) -> None:
    """Raise ValidationError if one of the roles is above that of the user in the team."""
    if may_everything(user) or isinstance(user, System):
        return
    own = read_roles(user).get(team.pk)
    # A superuser with a limited key is in no team.
    if not user.is_superuser and not all(own and includes(own, role) for role in roles):
        raise ValidationError(
            {"role": "Nobody gives a role above their own, or changes somebody above them."}
        )


def _refuse_last_administrator(membership: Membership) -> None:
    if membership.role != Role.ADMINISTRATOR:
        return
    others = Membership.objects.administering().filter(team=membership.team_id).exclude(pk=membership.pk)
    if not others.exists():
        raise ValidationError(
            f"{membership.user} is the last administrator of “{membership.team}”. Make somebody else one first."
        )
