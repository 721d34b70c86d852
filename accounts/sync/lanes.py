"""Where the job of a run waits: people first, and fair between people."""

from typing import NamedTuple
from uuid import UUID

from django.contrib.auth.models import User
from django.db.models import Count, IntegerField, Subquery
from django.db.models.functions import Coalesce

from accounts.models import SyncRun
from tokens.queues import PEOPLE_SYNC

SCHEDULED = "sync"


class Place(NamedTuple):
    queue: str
    priority: int


def choose_place(trigger: str, number_before: int) -> Place:
    """Return the queue and the priority of a waiting run.

    Each waiting sync that a person has asked for lowers the priority of the next, so that one sync of a person does not
    wait behind five thousand of another.
    """
    if trigger == SyncRun.Trigger.SCHEDULED:
        return Place(SCHEDULED, 0)
    return Place(PEOPLE_SYNC, -number_before)


def find_place(run_id: UUID) -> Place:
    run = SyncRun.objects.select_related("requested_by").get(pk=run_id)
    counted = SyncRun.objects.filter(pk=run_id).annotate(
        before=count_before(run.requested_by, run.connection_id)
    )
    return choose_place(run.trigger, counted.values_list("before", flat=True).get())


def count_before(person: User | None, connection_id: UUID) -> Coalesce:
    """Return the number of syncs of other connections that wait because this person asked for them."""
    waiting = SyncRun.objects.filter(state=SyncRun.State.WAITING, requested_by=person)
    others = waiting.exclude(trigger=SyncRun.Trigger.SCHEDULED).exclude(connection=connection_id)
    numbers = others.order_by().values("state").annotate(number=Count("pk")).values("number")
    return Coalesce(Subquery(numbers), 0, output_field=IntegerField())
