"""Teams, who belongs to them, and rows that belong to teams: who sees them, and who may do something with them."""

from collections.abc import Collection, Mapping
from typing import Final, Self, TypeVar
from uuid import UUID

from django.conf import settings
from django.contrib.auth.models import User
from django.db import models
from django.db.models import Exists, OuterRef, Q
from django.db.models.functions import Length, Lower, Now
from django.db.models.lookups import LessThanOrEqual
from uuid_utils.compat import uuid7

from tokens.people.roles import PERMISSIONS, Role
from tokens.permissions import Actor, System, read_limits

# The team that every database has.
MAIN: Final = "Main"
MAX_NAME_LENGTH: Final = 100  # characters
MAX_LOGO_BYTES: Final = 256 * 1024

Row = TypeVar("Row", bound=models.Model)


class Everywhere:
    """All teams, also those that are made later."""

    def __contains__(self, _team_id: object) -> bool:
        return True


EVERYWHERE: Final = Everywhere()


def find_teams(user: Actor, permission: str) -> frozenset[UUID] | Everywhere:
    """Return the teams in which the actor may do this."""
    if isinstance(user, System):
        return EVERYWHERE
    if not isinstance(user, User) or not user.is_active:
        return frozenset()
    limits = read_limits(user)
    if limits.role is not None and permission not in PERMISSIONS[limits.role]:
        return frozenset()
    if user.is_superuser:
        return EVERYWHERE if limits.team_id is None else frozenset({limits.team_id})
    teams = {team for team, role in read_roles(user).items() if permission in PERMISSIONS[role]}
    return frozenset(teams if limits.team_id is None else teams & {limits.team_id})


def list_permissions(user: User) -> frozenset[str]:
    """Return what a person who is no superuser may do in any team."""
    limits = read_limits(user)
    granted: frozenset[str] = frozenset()
    for team, role in read_roles(user).items():
        if limits.team_id in {None, team}:
            granted |= PERMISSIONS[role]
    return granted if limits.role is None else granted & PERMISSIONS[limits.role]


def read_roles(user: User) -> Mapping[UUID, str]:
    """Return the role of the person in each of their teams. It is read once for each object of the person."""
    known: Mapping[UUID, str] | None = getattr(user, "_roles", None)
    if known is None:
        known = dict(Membership.objects.filter(user=user.pk).order_by().values_list("team", "role"))
        set_roles(user, known)
    return known


def read_members(teams: Collection[UUID]) -> dict[int, dict[UUID, str]]:
    """Return the roles in these teams of everybody who is in one of them, by the id of the person."""
    roles: dict[int, dict[UUID, str]] = {}
    members = Membership.objects.filter(team__in=teams).order_by()
    for user_id, team_id, role in members.values_list("user", "team", "role"):
        roles.setdefault(user_id, {})[team_id] = role
    return roles


def set_roles(user: User, roles: Mapping[UUID, str]) -> None:
    """Let this object of a person have these roles, whatever is stored."""
    # By setattr, because the user of a request is a lazy wrapper with a `__dict__` of its own.
    setattr(user, "_roles", roles)  # noqa: B010 - Django's User has no such attribute


class TeamRowsQuerySet(models.QuerySet[Row]):
    """Rows with a team. A row that belongs to another row has the team of that row: see `of_teams`."""

    def allowing(self, user: Actor, permission: str) -> Self:
        """Return the rows with which the actor may do this."""
        teams = find_teams(user, permission)
        return self if isinstance(teams, Everywhere) else self.filter(self.of_teams(teams))

    def visible_to(self, user: Actor) -> Self:
        options = self.model._meta
        return self.allowing(user, f"{options.app_label}.view_{options.model_name}")

    def of_teams(self, teams: frozenset[UUID]) -> Q:
        # The ids stand in the query, so PostgreSQL knows how many rows each team has.
        return Q(team__in=teams)


class TeamQuerySet(TeamRowsQuerySet["Team"]):
    def of_teams(self, teams: frozenset[UUID]) -> Q:
        return Q(pk__in=teams)

    def without_administrator(self) -> Self:
        """Keep the teams that only a superuser can administer now."""
        return self.filter(~Exists(Membership.objects.administering().filter(team=OuterRef("pk"))))


class Team(models.Model):
    """People who work together, with the connections and accounts that they share."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    name = models.CharField(max_length=MAX_NAME_LENGTH)
    sends_reminders = models.BooleanField(
        default=True, db_default=True, help_text="To the contacts of its connections, before a consent ends"
    )
    created_at = models.DateTimeField(db_default=Now())

    objects = TeamQuerySet.as_manager()

    class Meta:
        ordering = ["name", "id"]
        constraints = [
            models.UniqueConstraint(Lower("name"), name="one_team_per_name"),
            models.CheckConstraint(condition=~Q(name=""), name="team_has_a_name"),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def team_id(self) -> UUID:
        return self.pk


class TeamLogo(models.Model):
    """The logo of a team. Not a column of the team, which is read with every connection."""

    team = models.OneToOneField(Team, on_delete=models.CASCADE, primary_key=True, related_name="+")
    png = models.BinaryField(max_length=MAX_LOGO_BYTES)

    objects = TeamRowsQuerySet.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=LessThanOrEqual(Length("png"), MAX_LOGO_BYTES), name="team_logo_is_small"
            ),
        ]

    def __str__(self) -> str:
        return f"Logo of {self.team}"


class ChosenTeam(models.Model):
    """The team that a person filters the lists of the pages by. A person without a row sees all their teams."""

    user = models.OneToOneField(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, primary_key=True, related_name="+"
    )
    team = models.ForeignKey(Team, on_delete=models.CASCADE, related_name="+")

    def __str__(self) -> str:
        return f"{self.team} for {self.user}"


class MembershipQuerySet(TeamRowsQuerySet["Membership"]):
    def administering(self) -> Self:
        """Keep the memberships of administrators who can sign in and open the pages."""
        return self.filter(role=Role.ADMINISTRATOR, user__is_active=True, user__is_staff=True)


class Membership(models.Model):
    """The role of one person in one team."""

    class Source(models.TextChoices):
        PERSON = "person", "given by a person"
        SINGLE_SIGN_ON = "single_sign_on", "given by single sign-on"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    # Indexed by the constraint below.
    team = models.ForeignKey(Team, on_delete=models.CASCADE, related_name="memberships", db_index=False)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="memberships")
    role = models.CharField(max_length=16, choices=Role.choices)
    source = models.CharField(
        max_length=16, choices=Source.choices, default=Source.PERSON, db_default=Source.PERSON
    )
    created_at = models.DateTimeField(db_default=Now())

    objects = MembershipQuerySet.as_manager()

    class Meta:
        ordering = ["team", "user"]
        permissions = [("manage_members", "Can manage the members of a team")]
        constraints = [
            models.UniqueConstraint(fields=["team", "user"], name="one_membership_per_team_and_person"),
            models.CheckConstraint(
                condition=Q(role__in=["viewer", "operator", "administrator"]),
                name="membership_role_is_known",
            ),
            models.CheckConstraint(
                condition=Q(source__in=["person", "single_sign_on"]), name="membership_source_is_known"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.user} in {self.team}"
