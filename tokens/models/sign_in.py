"""How fast passwords may be tried."""

from django.db import models


class SignInPace(models.Model):
    # A digest: what people type may be a password.
    key = models.TextField(primary_key=True)
    next_at = models.DateTimeField()
    pause = models.DurationField()

    class Meta:
        verbose_name = "pace of a sign-in"

    def __str__(self) -> str:
        return self.key
