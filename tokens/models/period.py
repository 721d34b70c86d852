"""The history of what a connection was: active, refused or disconnected, and paused or not."""

from django.db import models
from django.db.models import Q

from tokens.models.connection import Connection


class ConnectionPeriod(models.Model):
    """A connection was like this from `began_at` until its next period began.

    A trigger of the database writes a row whenever state, grant or pause changes, whoever changes it. The rows are
    kept for ever: they are few, and say which months of a connection are known.
    """

    id = models.BigAutoField(primary_key=True)
    connection = models.ForeignKey(
        Connection, on_delete=models.PROTECT, related_name="periods", db_index=False
    )
    began_at = models.DateTimeField()
    state = models.CharField(max_length=32, choices=Connection.State.choices)
    paused = models.BooleanField()
    # Of the access token that the connection had then. Refreshes tell of the later ones.
    expires_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["connection", "began_at", "id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(state__in=["active", "reauthorization_required", "disconnected"]),
                name="period_state_is_known",
            ),
        ]
        indexes = [models.Index(fields=["connection", "began_at", "id"], name="period_of_connection")]

    def __str__(self) -> str:
        return f"{self.connection_id} {self.began_at:%Y-%m-%d %H:%M} UTC {self.state}"
