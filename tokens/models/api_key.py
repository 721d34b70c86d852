"""API keys: how programs sign in."""

from datetime import timedelta
from typing import Final, Self

from django.conf import settings
from django.contrib.auth.models import User
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now
from uuid_utils.compat import uuid7

from tokens.models.team import Everywhere, Team, find_teams
from tokens.people.roles import TOKENS, Role
from tokens.permissions import Actor, may_everything

# Scanners for secrets find a key by it. Keys that version 0.2 made have no such word.
KEY_PREFIX: Final = "aak_"
MAX_LIFE: Final = timedelta(days=365)
MAX_NAME_CHARACTERS: Final = 100


class ApiKeyQuerySet(models.QuerySet["ApiKey"]):
    def visible_to(self, user: Actor) -> Self:
        """Keep the person's own keys, and those of teams whose keys the person manages. Superusers see every key."""
        if may_everything(user):
            return self
        if not isinstance(user, User) or not user.is_active:
            return self.none()
        teams = find_teams(user, "tokens.manage_keys")
        of_teams = Q(user=None) if isinstance(teams, Everywhere) else Q(user=None, team__in=teams)
        return self.filter(Q(user=user) | of_teams)

    def live(self) -> Self:
        return self.filter(expires_at__gt=Now())


class ApiKey(models.Model):
    """A key of a person, or of a team. Only a digest of it is stored, so it is shown once.

    A key that is revoked is deleted. A key of a team goes on when the person who made it leaves.
    """

    ROLES: Final = [*Role.choices, (TOKENS, "Tokens")]

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    name = models.CharField(max_length=MAX_NAME_CHARACTERS, help_text="What the key is for")
    beginning = models.CharField(
        max_length=16, editable=False, help_text="The first characters, by which people recognise the key"
    )
    digest = models.CharField(max_length=128, unique=True, editable=False)
    # Null for a key of a team.
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, null=True, blank=True, related_name="+"
    )
    # Limits the key of a person. Without them it may do what its owner may at that moment.
    team = models.ForeignKey(Team, on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    role = models.CharField(max_length=16, choices=ROLES, blank=True, default="", db_default="")
    # Who made the key of a team: the history says that this person acted.
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.RESTRICT, null=True, blank=True, related_name="+"
    )
    created_at = models.DateTimeField(db_default=Now())
    expires_at = models.DateTimeField()
    last_used_at = models.DateTimeField(null=True, blank=True, help_text="Exact to one minute")
    last_used_from = models.GenericIPAddressField(null=True, blank=True)
    # How far the access tokens that the key has asked for reach ahead of the time: see take_hand_outs.sql.
    hand_out_clock = models.DateTimeField(null=True, blank=True, editable=False)

    objects = ApiKeyQuerySet.as_manager()

    class Meta:
        verbose_name = "API key"
        ordering = ["-created_at", "-id"]
        permissions = [("manage_keys", "Can make and revoke the API keys of a team")]
        constraints = [
            models.CheckConstraint(
                condition=Q(role__in=["", "viewer", "operator", "administrator", "tokens"]),
                name="api_key_role_is_known",
            ),
            models.CheckConstraint(
                condition=Q(user__isnull=False)
                | (Q(team__isnull=False, created_by__isnull=False) & ~Q(role="")),
                name="api_key_of_a_team_has_a_role",
            ),
            models.CheckConstraint(
                condition=Q(expires_at__lte=F("created_at") + MAX_LIFE)
                | ~Q(beginning__startswith=KEY_PREFIX),
                name="api_key_lives_one_year_at_most",
            ),
        ]
        indexes = [models.Index(fields=["expires_at"], name="api_key_by_end")]

    def __str__(self) -> str:
        return f"{self.beginning}… of {self.user or self.team}"

    @property
    def limits(self) -> str:
        """What the key may do, in a few words."""
        may = self.get_role_display() if self.role else "What its owner may"
        return f"{may} in “{self.team}”" if self.team else may
