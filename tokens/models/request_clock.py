"""How fast a key or a person asks the API."""

from django.db import models


class RequestClock(models.Model):
    """How far the requests of one caller, counted against one limit, reach ahead of the time."""

    # The limit and the caller.
    key = models.TextField(primary_key=True)
    ahead_until = models.DateTimeField()

    class Meta:
        verbose_name = "clock of requests"

    def __str__(self) -> str:
        return self.key
