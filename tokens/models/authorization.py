"""Visits to the consent page of Amazon."""

from typing import Self

from django.conf import settings
from django.contrib.auth.models import User
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.functions import Now

from amazon_accounts.amazon_ads.hosts import Region
from tokens.models.connect_link import ConnectLink
from tokens.models.connection import Connection, all_regions
from tokens.models.team import Team
from tokens.permissions import Actor, may_everything


class AuthorizationAttemptQuerySet(models.QuerySet["AuthorizationAttempt"]):
    def visible_to(self, user: Actor) -> Self:
        if may_everything(user):
            return self
        return self.filter(user=user) if isinstance(user, User) and user.is_active else self.none()


class AuthorizationAttempt(models.Model):
    """A visit to Amazon's consent page. The first return from there uses it up; a later return is told what came of it.

    `user` is who began it, or who owns the client link by which somebody began it; `session_digest` is of the session, or
    of the cookie of the client's browser. The row holds no secret: the state is stored as a digest, and the PKCE verifier is derived from the state.
    """

    state_digest = models.CharField(primary_key=True, max_length=64, editable=False)
    session_digest = models.CharField(max_length=64, editable=False)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    connection = models.ForeignKey(
        Connection, on_delete=models.CASCADE, null=True, related_name="+", help_text="Which one to reconnect"
    )
    link = models.ForeignKey(
        ConnectLink,
        on_delete=models.CASCADE,
        null=True,
        blank=True,
        related_name="attempts",
        help_text="By which the visitor, who has no login here, came",
    )
    team = models.ForeignKey(
        Team,
        on_delete=models.CASCADE,
        null=True,
        related_name="+",
        help_text="Which one gets a new connection",
    )
    region = models.CharField(max_length=2, choices=Region.choices, default=Region.NA)
    regions = ArrayField(models.CharField(max_length=2, choices=Region.choices), default=all_regions)
    label = models.CharField(max_length=200, blank=True, default="")
    created_at = models.DateTimeField(db_default=Now())
    used_at = models.DateTimeField(null=True, blank=True, help_text="When the person came back")
    connected = models.ForeignKey(
        Connection, on_delete=models.CASCADE, null=True, related_name="+", help_text="Which one has the grant"
    )
    refusal = models.TextField(blank=True, default="", db_default="", help_text="Why nothing was connected")

    objects = AuthorizationAttemptQuerySet.as_manager()

    class Meta:
        indexes = [
            # Pruning: attempts that never returned.
            models.Index(fields=["created_at"], name="attempt_by_age"),
        ]

    def __str__(self) -> str:
        return f"{self.user_id} {self.created_at:%Y-%m-%d %H:%M} UTC"
