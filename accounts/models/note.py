"""Notes that people write on accounts and connections."""

from uuid import UUID

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.db.models.functions import Length, Now
from django.db.models.lookups import LessThanOrEqual
from uuid_utils.compat import uuid7

from accounts.models.account import Account
from tokens.models import Connection
from tokens.models.team import TeamRowsQuerySet

MAX_NOTE_LENGTH = 4_000  # characters


class NoteQuerySet(TeamRowsQuerySet["Note"]):
    def of_teams(self, teams: frozenset[UUID]) -> Q:
        accounts, connections = (
            Account.objects.filter(team__in=teams),
            Connection.objects.filter(team__in=teams),
        )
        return Q(account__in=accounts) | Q(connection__in=connections)


class Note(models.Model):
    """A text on an account or on a connection. It belongs to the team of what it is about."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    account = models.ForeignKey(
        Account, on_delete=models.CASCADE, null=True, blank=True, related_name="notes", db_index=False
    )
    connection = models.ForeignKey(
        Connection, on_delete=models.CASCADE, null=True, blank=True, related_name="notes", db_index=False
    )
    # None: a command wrote it.
    author = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    text = models.TextField(max_length=MAX_NOTE_LENGTH)
    created_at = models.DateTimeField(db_default=Now())

    objects = NoteQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at", "-id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(account__isnull=False, connection__isnull=True)
                | Q(account__isnull=True, connection__isnull=False),
                name="note_is_on_one_thing",
            ),
            models.CheckConstraint(condition=~Q(text=""), name="note_has_a_text"),
            models.CheckConstraint(
                condition=LessThanOrEqual(Length("text"), MAX_NOTE_LENGTH), name="note_is_short"
            ),
        ]
        indexes = [
            models.Index(
                fields=["account", "-created_at", "-id"],
                condition=Q(account__isnull=False),
                name="note_of_account",
            ),
            models.Index(
                fields=["connection", "-created_at", "-id"],
                condition=Q(connection__isnull=False),
                name="note_of_connection",
            ),
            models.Index(fields=["created_at", "id"], name="note_by_time"),
        ]

    def __str__(self) -> str:
        return f"note on {self.subject}"

    @property
    def subject(self) -> Account | Connection:
        subject = self.account or self.connection
        assert subject is not None  # noqa: S101 - the constraint note_is_on_one_thing
        return subject

    @property
    def author_name(self) -> str | None:
        return self.author.username if self.author else None

    @property
    def team_id(self) -> UUID:
        return self.subject.team_id
