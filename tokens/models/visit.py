"""When people looked at the activity."""

from django.conf import settings
from django.db import models


class ActivityVisit(models.Model):
    """The last visit of a person to the activity page, and the end of the visit before it."""

    user = models.OneToOneField(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, primary_key=True, related_name="+"
    )
    seen_at = models.DateTimeField()
    previous_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return f"last visit of {self.user}"
