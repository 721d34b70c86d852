"""Teams, and who belongs to them."""

from typing import Final, Self

from django.conf import settings
from django.contrib.auth.models import User
from django.db import models
from django.db.models import Q
from django.db.models.functions import Lower, Now
from uuid_utils.compat import uuid7

from tokens.people.roles import Role
from tokens.permissions import Actor, System

# The team that every database has.
MAIN: Final = "Main"
MAX_NAME_LENGTH: Final = 100  # characters


class TeamQuerySet(models.QuerySet["Team"]):
    def visible_to(self, user: Actor) -> Self:
        if isinstance(user, System):
            return self
        if not isinstance(user, User) or not user.is_active:
            return self.none()
        return self if user.is_superuser else self.filter(memberships__user=user)


class Team(models.Model):
    """People who work together, with the connections and accounts that they share."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    name = models.CharField(max_length=MAX_NAME_LENGTH)
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


class MembershipQuerySet(models.QuerySet["Membership"]):
    def visible_to(self, user: Actor) -> Self:
        # Who sees a team sees its members.
        return self if isinstance(user, System) else self.filter(team__in=Team.objects.visible_to(user))


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
