"""API keys: how programs sign in."""

from datetime import timedelta
from typing import Final, Self

from django.conf import settings
from django.contrib.auth.models import User
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now
from uuid_utils.compat import uuid7

from tokens.permissions import Actor, may_everything

# Scanners for secrets find a key by it. Keys that version 0.2 made have no such word.
KEY_PREFIX: Final = "aak_"
MAX_LIFE: Final = timedelta(days=365)
MAX_NAME_CHARACTERS: Final = 100


class ApiKeyQuerySet(models.QuerySet["ApiKey"]):
    def visible_to(self, user: Actor) -> Self:
        """Keep the person's own keys. Superusers see every key, so that they can revoke it."""
        if may_everything(user):
            return self
        return self.filter(user=user) if isinstance(user, User) and user.is_active else self.none()

    def live(self) -> Self:
        return self.filter(expires_at__gt=Now())


class ApiKey(models.Model):
    """A key of a person. Only a digest of it is stored, so it is shown once. A key that is revoked is deleted."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    name = models.CharField(max_length=MAX_NAME_CHARACTERS, help_text="What the key is for")
    beginning = models.CharField(
        max_length=16, editable=False, help_text="The first characters, by which people recognise the key"
    )
    digest = models.CharField(max_length=128, unique=True, editable=False)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    # Null if a command made the key.
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True, related_name="+"
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
        constraints = [
            models.CheckConstraint(
                condition=Q(expires_at__lte=F("created_at") + MAX_LIFE)
                | ~Q(beginning__startswith=KEY_PREFIX),
                name="api_key_lives_one_year_at_most",
            ),
        ]
        indexes = [models.Index(fields=["expires_at"], name="api_key_by_end")]

    def __str__(self) -> str:
        return f"{self.beginning}… of {self.user}"
