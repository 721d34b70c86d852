"""The audit trail: who did what to which object, when and from where; and the chain that shows changes of the trail.

`tokens/people/audit/` writes, chains, checks and prunes it. Triggers refuse every other change. No column is a foreign
key, so that what the trail names can be deleted.
"""

from typing import Final
from uuid import UUID

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from uuid_utils.compat import uuid7

from tokens.models.team import TeamRowsQuerySet

MAX_AUDITED_NAME: Final = 200  # characters


class AuditEntryQuerySet(TeamRowsQuerySet["AuditEntry"]):
    """Administrators see the entries of their teams. Entries without a team are for superusers."""

    def of_teams(self, teams: frozenset[UUID]) -> Q:
        return Q(team_id__in=teams)


class AuditEntry(models.Model):
    """One deed, written in the transaction of the operation that did it."""

    class ActorKind(models.TextChoices):
        PERSON = "person"
        KEY = "key", "API key"
        COMMAND = "command"
        SYSTEM = "system", "the console itself"
        NOBODY = "nobody", "nobody who is signed in"

    class Outcome(models.TextChoices):
        DONE = "done"
        REFUSED = "refused"
        FAILED = "failed"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    at = models.DateTimeField(db_default=Now())
    actor_kind = models.CharField(max_length=16, choices=ActorKind.choices)
    # The person, also for a key of the person.
    actor_id = models.BigIntegerField(null=True, blank=True)
    actor_name = models.CharField(max_length=MAX_AUDITED_NAME, blank=True, default="")
    key_id = models.CharField(max_length=64, blank=True, default="")
    key_name = models.CharField(max_length=MAX_AUDITED_NAME, blank=True, default="")
    # A word of `tokens.people.audit.actions.Action`. The database does not list the words, because they become more.
    action = models.CharField(max_length=64)
    object_type = models.CharField(max_length=64, blank=True, default="")
    object_id = models.CharField(max_length=200, blank=True, default="")
    object_name = models.CharField(max_length=MAX_AUDITED_NAME, blank=True, default="")
    team_id = models.UUIDField(null=True, blank=True)
    team_name = models.CharField(max_length=MAX_AUDITED_NAME, blank=True, default="")
    address = models.GenericIPAddressField(null=True, blank=True)
    request_id = models.CharField(max_length=64, blank=True, default="")
    outcome = models.CharField(max_length=16, choices=Outcome.choices, default=Outcome.DONE)
    before = models.JSONField(null=True, blank=True)
    after = models.JSONField(null=True, blank=True)

    objects = AuditEntryQuerySet.as_manager()

    class Meta:
        ordering = ["-at", "-id"]
        verbose_name_plural = "audit entries"
        constraints = [
            models.CheckConstraint(
                condition=Q(actor_kind__in=["person", "key", "command", "system", "nobody"]),
                name="audit_actor_kind_is_known",
            ),
            models.CheckConstraint(
                condition=Q(outcome__in=["done", "refused", "failed"]), name="audit_outcome_is_known"
            ),
            models.CheckConstraint(
                condition=Q(action__regex=r"^[a-z_]+\.[a-z_]+$"), name="audit_action_is_an_object_and_a_verb"
            ),
        ]
        indexes = [
            # The trail, newest first, and with each of its filters.
            models.Index(fields=["-at", "-id"], name="audit_by_time"),
            models.Index(fields=["action", "-at", "-id"], name="audit_by_action"),
            models.Index(fields=["actor_name", "-at", "-id"], name="audit_by_actor"),
            models.Index(fields=["object_id", "-at", "-id"], name="audit_by_object"),
            models.Index(fields=["team_id", "-at", "-id"], name="audit_by_team"),
        ]

    def __str__(self) -> str:
        return f"{self.action} {self.object_type} {self.object_id}".strip()


class AuditKey(models.Model):
    """A random key of the chain, sealed with TOKEN_ENCRYPTION_KEYS. Whoever has the database alone cannot use it."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    made_at = models.DateTimeField(db_default=Now())
    sealed = models.TextField(editable=False)

    def __str__(self) -> str:
        return str(self.id)


class AuditLink(models.Model):
    """The place of one entry in the chain. A trigger makes a link without a place together with the entry.

    The numbers follow the order in which entries were found committed, so they have no gaps.
    """

    entry_id = models.UUIDField(primary_key=True)
    number = models.BigIntegerField(null=True, unique=True)
    digest = models.BinaryField(null=True)
    key_id = models.UUIDField(null=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(number=None, digest=None, key_id=None)
                | Q(number__gt=0, digest__isnull=False, key_id__isnull=False),
                name="audit_link_waits_or_has_its_place",
            )
        ]
        indexes = [
            # The links that the next chaining takes.
            models.Index(fields=["entry_id"], condition=Q(number=None), name="audit_link_waiting"),
        ]

    def __str__(self) -> str:
        return f"{self.number} {self.entry_id}"


class AuditCheckpoint(models.Model):
    """Where the chain begins after old entries were pruned: the last number and digest that are gone, and a seal."""

    id = models.SmallIntegerField(primary_key=True, default=1)
    number = models.BigIntegerField()
    digest = models.BinaryField()
    key_id = models.UUIDField()
    seal = models.BinaryField()

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(id=1), name="audit_has_one_checkpoint"),
        ]

    def __str__(self) -> str:
        return str(self.number)


class AuditMail(models.Model):
    """When the end of the chain was last mailed to the superusers."""

    id = models.SmallIntegerField(primary_key=True, default=1)
    mailed_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(id=1), name="audit_has_one_mail"),
        ]

    def __str__(self) -> str:
        return str(self.mailed_at)
