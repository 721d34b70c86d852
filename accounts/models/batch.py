"""Batch operations: one request to act on many accounts or connections, and its result for each."""

from collections.abc import Sequence
from typing import Any, Self, TypeVar
from uuid import UUID

from django.conf import settings
from django.contrib.auth.models import User
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Count, F, Q
from django.db.models.functions import Now
from uuid_utils.compat import uuid7

from accounts.models.account import Account
from accounts.models.sync import UNFINISHED, SyncRun
from tokens.models import Connection, Team
from tokens.models.team import Everywhere, TeamRowsQuerySet, find_teams
from tokens.permissions import Actor, read_limits
from tokens.request_order import next_request_number


class BatchOperationQuerySet(models.QuerySet["BatchOperation"]):
    def visible_to(self, user: Actor) -> Self:
        """Return the operations that the person started, or all of whose teams the person may see."""
        teams = find_teams(user, "accounts.view_batchoperation")
        if isinstance(teams, Everywhere):
            return self
        seen = Q(team_ids__contained_by=list(teams)) & ~Q(team_ids=[])
        # A key sees no more than its team, and what a key of a team starts is the team's.
        if isinstance(user, User) and user.is_active and read_limits(user).is_none:
            seen |= Q(user=user, by_team_key=False)
        return self.filter(seen)

    def unfinished(self) -> Self:
        return self.filter(state__in=UNFINISHED)


class BatchOperation(models.Model):
    """One request to do the same with many accounts, or with many connections."""

    class Subject(models.TextChoices):
        ACCOUNTS = "accounts"
        CONNECTIONS = "connections"

    class Operation(models.TextChoices):
        SYNC = "sync"
        DISCONNECT = "disconnect"
        RECONNECT = "reconnect"
        UPDATE = "update"
        UNDO = "undo"
        REFRESH = "refresh"
        PAUSE = "pause"
        RESUME = "resume"
        MOVE = "move"
        SEND_RENEWAL_LINKS = "send_renewal_links", "send renewal links"

        @property
        def verb(self) -> str:
            """What stands before the accounts or connections in a sentence."""
            return f"{self.label} for" if self == self.SEND_RENEWAL_LINKS else str(self.label)

    class State(models.TextChoices):
        WAITING = "waiting"
        RUNNING = "running"
        SUCCEEDED = "succeeded"
        PARTIAL = "partial", "partly failed"
        FAILED = "failed"
        CANCELLED = "cancelled"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        db_index=False,
        help_text="Who asked; empty for a command",
    )
    # By a key of a team. `user` is who made the key, and may have left the team.
    by_team_key = models.BooleanField(default=False, db_default=False, editable=False)
    # The key by which the person asked; null in a session. What is done later is done with its limits.
    asked_by_key = models.UUIDField(null=True, editable=False)
    # Named `on` in requests and commands.
    subject = models.CharField(
        max_length=12, choices=Subject.choices, default=Subject.ACCOUNTS, db_default=Subject.ACCOUNTS
    )
    operation = models.CharField(max_length=20, choices=Operation.choices)
    state = models.CharField(max_length=12, choices=State.choices, default=State.WAITING)
    options = models.JSONField(default=dict, blank=True)
    filter = models.JSONField(null=True, blank=True, help_text="The filter that chose the rows, if one did")
    # The database numbers the requests, so a process of an older version does it too.
    request_number = models.BigIntegerField(db_default=next_request_number(), editable=False)
    # The teams of its accounts or connections; without any the team of the key that asked for it.
    team_ids = ArrayField(models.UUIDField(), default=list, db_default=[], editable=False)
    total = models.PositiveIntegerField(default=0)
    # How the items ended, written when the last item ends. Until then `count_items` counts them.
    succeeded = models.PositiveIntegerField(default=0)
    failed = models.PositiveIntegerField(default=0)
    skipped = models.PositiveIntegerField(default=0)
    # The account or connection that was done last: the next chunk begins after it.
    position = models.UUIDField(null=True, blank=True, editable=False)
    created_at = models.DateTimeField(db_default=Now())
    # When the work started, or started again for the failed items.
    started_at = models.DateTimeField(null=True, blank=True)
    cancelled_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)
    # The batch whose labels an undo gives back; it may be pruned before the undo is.
    undoes = models.UUIDField(null=True, editable=False)
    idempotency_key = models.CharField(max_length=200, null=True, blank=True, editable=False)
    # Of the request that had the key: a different request with the same key is refused.
    request_digest = models.CharField(max_length=64, blank=True, default="", editable=False)

    objects = BatchOperationQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at", "-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["user", "idempotency_key"],
                condition=Q(idempotency_key__isnull=False),
                name="one_batch_per_user_and_idempotency_key",
            ),
            models.CheckConstraint(
                condition=Q(
                    subject="accounts", operation__in=["sync", "disconnect", "reconnect", "update", "undo"]
                )
                | Q(
                    subject="connections",
                    operation__in=[
                        *("sync", "refresh", "pause", "resume", "disconnect", "move", "update"),
                        "send_renewal_links",
                    ],
                ),
                name="batch_operation_is_known",
            ),
            models.UniqueConstraint(fields=["undoes"], name="one_undo_per_batch"),
            models.CheckConstraint(
                condition=Q(operation="undo", undoes__isnull=False)
                | (~Q(operation="undo") & Q(undoes__isnull=True)),
                name="undo_names_what_it_undoes",
            ),
            models.CheckConstraint(
                condition=Q(state__in=UNFINISHED, finished_at__isnull=True)
                | Q(state__in=["succeeded", "partial", "failed", "cancelled"], finished_at__isnull=False),
                name="ended_batch_has_an_end",
            ),
            models.CheckConstraint(
                condition=Q(total__gte=F("succeeded") + F("failed") + F("skipped")),
                name="batch_counts_add_up",
            ),
            models.CheckConstraint(
                condition=Q(finished_at__isnull=True) | Q(finished_at__gte=F("created_at")),
                name="batch_ends_after_it_began",
            ),
        ]
        indexes = [
            # The list of one person and of everybody, newest first. The second index also serves pruning.
            models.Index(fields=["user", "-created_at", "-id"], name="batch_of_user"),
            models.Index(fields=["-created_at", "-id"], name="batch_by_time"),
            # The few batches that have not ended, which the scheduled tasks look for.
            models.Index(fields=["id"], condition=Q(state__in=UNFINISHED), name="batch_unfinished"),
        ]

    def __str__(self) -> str:
        plural = "" if self.total == 1 else "s"
        is_of_links = self.operation == self.Operation.SEND_RENEWAL_LINKS
        deed = "Renewal links for" if is_of_links else f"{self.get_operation_display().capitalize()} of"
        return f"{deed} {self.total:,} {self.noun}{plural}"

    @property
    def team_id(self) -> UUID | None:
        """The team of all its accounts or connections; None if they are of several teams."""
        return self.team_ids[0] if len(self.team_ids) == 1 else None

    @property
    def is_finished(self) -> bool:
        return self.finished_at is not None

    @property
    def known_counts(self) -> dict[str, int] | None:
        """The number of items in each state, or None while it must be counted."""
        if self.started_at is not None and not self.is_finished:
            return None
        return {
            "waiting": 0 if self.is_finished else self.total,
            "running": 0,
            "succeeded": self.succeeded,
            "failed": self.failed,
            "skipped": self.skipped,
        }

    @property
    def noun(self) -> str:
        return self.subject.removesuffix("s")

    def count_items(self) -> dict[str, int]:
        return count_items([self])[self.pk]

    def list_items(self) -> "ItemQuerySet[Any]":
        is_of_accounts = self.subject == self.Subject.ACCOUNTS
        items: ItemQuerySet[Any] = (
            BatchItem.objects.all() if is_of_accounts else ConnectionBatchItem.objects.all()
        )
        return items.filter(batch=self)


def count_items(batches: Sequence[BatchOperation]) -> dict[UUID, dict[str, int]]:
    """Return the number of items in each state, by batch; costs at most one query for each subject."""
    counts = {batch.pk: known for batch in batches if (known := batch.known_counts)}
    for subject, items in (
        (BatchOperation.Subject.ACCOUNTS, BatchItem.objects),
        (BatchOperation.Subject.CONNECTIONS, ConnectionBatchItem.objects),
    ):
        if running := [each.pk for each in batches if each.pk not in counts and each.subject == subject]:
            counts |= items.count_by_state(running)
    return counts


Item = TypeVar("Item", bound="AnyItem")


class ItemQuerySet(TeamRowsQuerySet[Item]):
    def count_by_state(self, batch_ids: Sequence[UUID]) -> dict[UUID, dict[str, int]]:
        counts = {batch_id: dict.fromkeys(AnyItem.State.values, 0) for batch_id in batch_ids}
        states = self.filter(batch__in=batch_ids).order_by().values_list("batch_id", "state")
        for batch_id, state, number in states.annotate(number=Count("batch_id")):
            counts[batch_id][state] = number
        return counts


class AnyItem(models.Model):
    """The result of a batch operation for one account or connection."""

    class State(models.TextChoices):
        WAITING = "waiting"
        RUNNING = "running"
        SUCCEEDED = "succeeded"
        FAILED = "failed"
        SKIPPED = "skipped"

    state = models.CharField(max_length=12, choices=State.choices, default=State.WAITING)
    message = models.TextField(blank=True, default="")
    # Why it failed: of amazon_accounts.amazon_ads.causes.
    cause = models.CharField(max_length=24, blank=True, default="", db_default="", editable=False)
    # Of the last retry; null is the number of the batch.
    request_number = models.BigIntegerField(null=True, editable=False)
    # The sync whose end is this item's end.
    run = models.ForeignKey(
        SyncRun, on_delete=models.PROTECT, related_name="+", db_constraint=False, db_index=False, null=True
    )

    class Meta:
        abstract = True


class BatchItemQuerySet(ItemQuerySet["BatchItem"]):
    def of_teams(self, teams: frozenset[UUID]) -> Q:
        return Q(account__in=Account.objects.filter(team__in=teams))


class BatchItem(AnyItem):
    """One account of a batch operation, and its result."""

    # It keeps an account from being twice in a batch, and is the order in which items are done and shown.
    pk = models.CompositePrimaryKey("batch_id", "account_id")
    # No constraints in the database: checking them takes longer than inserting the rows, 100,000 at once while
    # somebody waits. Items are inserted from rows of `user_accounts` and deleted with their operation.
    batch = models.ForeignKey(
        BatchOperation, on_delete=models.CASCADE, related_name="items", db_constraint=False, db_index=False
    )
    account = models.ForeignKey(
        Account, on_delete=models.PROTECT, related_name="+", db_constraint=False, db_index=False
    )
    # The labels that an update changed, as they were before: null for a label that was not there.
    labels_before = models.JSONField(null=True, editable=False)

    objects = BatchItemQuerySet.as_manager()

    class Meta:
        ordering = ["account_id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(state__in=["waiting", "running", "succeeded", "failed", "skipped"]),
                name="batch_item_state_is_known",
            ),
        ]
        indexes = [
            # The items that wait for a sync to end.
            models.Index(
                fields=["run"], condition=Q(state__in=UNFINISHED, run__isnull=False), name="item_of_sync"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.account_id} {self.state}"


class ConnectionBatchItemQuerySet(ItemQuerySet["ConnectionBatchItem"]):
    def of_teams(self, teams: frozenset[UUID]) -> Q:
        return Q(connection__in=Connection.objects.filter(team__in=teams))


class ConnectionBatchItem(AnyItem):
    """One connection of a batch operation, and its result."""

    # As for accounts, and without constraints for the same reason.
    pk = models.CompositePrimaryKey("batch_id", "connection_id")
    batch = models.ForeignKey(
        BatchOperation,
        on_delete=models.CASCADE,
        related_name="connection_items",
        db_constraint=False,
        db_index=False,
    )
    connection = models.ForeignKey(
        Connection, on_delete=models.PROTECT, related_name="+", db_constraint=False, db_index=False
    )
    # Where the connection was when the batch began. What has moved since is left as it is.
    team = models.ForeignKey(
        Team, on_delete=models.PROTECT, related_name="+", db_constraint=False, db_index=False
    )

    objects = ConnectionBatchItemQuerySet.as_manager()

    class Meta:
        ordering = ["connection_id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(state__in=["waiting", "running", "succeeded", "failed", "skipped"]),
                name="connection_item_state_is_known",
            ),
        ]
        indexes = [
            # The items that wait for a sync to end.
            models.Index(
                fields=["run"],
                condition=Q(state__in=UNFINISHED, run__isnull=False),
                name="connection_item_of_sync",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.connection_id} {self.state}"
