"""The lists that people keep under a name."""

from typing import Self

from django.conf import settings
from django.contrib.auth.models import User
from django.db import models
from django.db.models import Q
from django.db.models.functions import Length, Now
from django.db.models.lookups import LessThanOrEqual
from uuid_utils.compat import uuid7

from tokens.models.team import Team, TeamRowsQuerySet
from tokens.permissions import Actor

MAX_NAME_LENGTH = 60  # characters
MAX_QUERY_LENGTH = 4_000  # characters


class SavedViewQuerySet(TeamRowsQuerySet["SavedView"]):
    def visible_to(self, user: Actor) -> Self:
        """Return the person's own views, and those that were shared with a team whose accounts the person sees."""
        shared = self.filter(team__isnull=False).allowing(user, "accounts.view_account")
        own = Q(user=user.pk) if isinstance(user, User) else Q(pk__in=[])
        return self.filter(own | Q(pk__in=shared.values("pk")))


class SavedView(models.Model):
    """Filters and ordering of the list of accounts, under a name."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    # It is one person's own, or all of a team share it.
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, null=True, blank=True, related_name="+"
    )
    team = models.ForeignKey(Team, on_delete=models.CASCADE, null=True, blank=True, related_name="+")
    name = models.CharField(max_length=MAX_NAME_LENGTH)
    query = models.TextField(blank=True, help_text="As in the address of the list")
    created_at = models.DateTimeField(db_default=Now())

    objects = SavedViewQuerySet.as_manager()

    class Meta:
        ordering = ["name", "id"]
        constraints = [
            models.UniqueConstraint(
                fields=["user", "name"], condition=Q(user__isnull=False), name="one_own_view_per_name"
            ),
            models.UniqueConstraint(
                fields=["team", "name"], condition=Q(team__isnull=False), name="one_view_per_team_and_name"
            ),
            models.CheckConstraint(
                condition=Q(user__isnull=False, team__isnull=True) | Q(user__isnull=True, team__isnull=False),
                name="saved_view_is_own_or_shared",
            ),
            models.CheckConstraint(condition=~Q(name=""), name="saved_view_has_a_name"),
            models.CheckConstraint(
                condition=LessThanOrEqual(Length("query"), MAX_QUERY_LENGTH), name="saved_view_is_short"
            ),
        ]

    def __str__(self) -> str:
        return self.name
