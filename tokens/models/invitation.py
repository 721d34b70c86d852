"""Invitations into a team, by mail."""

from typing import Final, Self

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.db.models.functions import Lower, Now
from uuid_utils.compat import uuid7

from tokens.models.team import Team, TeamRowsQuerySet
from tokens.people.roles import Role

MAX_ADDRESS_LENGTH: Final = 254  # characters, as RFC 5321 allows


class InvitationQuerySet(TeamRowsQuerySet["Invitation"]):
    """Administrators see the invitations into their teams."""

    def open(self) -> Self:
        return self.filter(ends_at__gt=Now())


class Invitation(models.Model):
    """An invitation that nobody has accepted. One that is accepted or revoked is deleted; the audit trail has it."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    # Indexed by the constraint below.
    team = models.ForeignKey(Team, on_delete=models.CASCADE, related_name="+", db_index=False)
    email = models.EmailField(max_length=MAX_ADDRESS_LENGTH)
    role = models.CharField(max_length=16, choices=Role.choices)
    # Null for a command. An invitation of somebody who may not invite any more opens nothing.
    invited_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, null=True, blank=True, related_name="+"
    )
    # Of the secret in the link, which is stored nowhere. The worker makes it when it sends the mail.
    digest = models.CharField(max_length=64, unique=True, null=True, editable=False)
    mailed_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(db_default=Now())
    ends_at = models.DateTimeField()

    objects = InvitationQuerySet.as_manager()

    class Meta:
        ordering = ["email", "id"]
        constraints = [
            models.UniqueConstraint("team", Lower("email"), name="one_invitation_per_team_and_address"),
            models.CheckConstraint(
                condition=Q(role__in=["viewer", "operator", "administrator"]), name="invitation_role_is_known"
            ),
            models.CheckConstraint(
                condition=Q(mailed_at=None) | Q(digest__isnull=False), name="mailed_invitation_has_a_digest"
            ),
        ]

    def __str__(self) -> str:
        # Without the address, which names a person.
        return f"Invitation to {self.team}"
