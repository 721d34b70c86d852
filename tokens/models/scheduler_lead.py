"""Which scheduler leads."""

from django.db import models
from django.db.models.functions import Now


class SchedulerLead(models.Model):
    """The only row tells who leads. Each leader has a term of its own, so that a former leader is recognised."""

    id = models.SmallIntegerField(primary_key=True, default=1)
    term = models.BigIntegerField()
    leader = models.CharField(max_length=63, help_text="The application_name of the leader's sessions")
    seen_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [models.CheckConstraint(condition=models.Q(id=1), name="one_scheduler_leads")]

    def __str__(self) -> str:
        return f"term {self.term}: {self.leader}"
