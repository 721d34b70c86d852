"""People whose names were erased."""

from django.conf import settings
from django.db import models
from django.db.models.functions import Now


class ErasedPerson(models.Model):
    """Says that a person was erased, when and by whom.

    The user stays for the history, without anything that names the person. The trigger keep_erased refuses every later
    change of this user, so that nothing that is under way can write the names again.
    """

    person = models.OneToOneField(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, primary_key=True, related_name="erasure"
    )
    erased_at = models.DateTimeField(db_default=Now())
    # None: a command.
    erased_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )

    class Meta:
        verbose_name_plural = "erased people"

    def __str__(self) -> str:
        return f"{self.person_id} {self.erased_at:%Y-%m-%d %H:%M} UTC"
