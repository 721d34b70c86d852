"""What became of the links of an operation that sends renewal links."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from uuid import UUID

from django.contrib.auth.models import User
from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import OuterRef, QuerySet
from django.db.models.functions import JSONObject

from accounts.models import BatchOperation
from dashboard.status import RENEWAL, Status
from tokens.models import ConnectLink
from tokens.models.connect_link import Progress

IS_MAILING = BatchOperation.Operation.SEND_RENEWAL_LINKS


@dataclass(frozen=True)
class Mailing:
    batch: BatchOperation
    counts: Mapping[str, int]

    @property
    def number(self) -> int:
        return sum(self.counts.values())

    @property
    def renewed(self) -> int:
        return self.counts[Progress.RENEWED]

    @property
    def parts(self) -> list[tuple[Status, int]]:
        return [(status, self.counts[word]) for word, status in RENEWAL.items() if self.counts[word]]


def read_mailing(user: User, batch: BatchOperation) -> Mailing | None:
    """Return what became of the links that the person may see; None for another operation."""
    return _find(user, BatchOperation.objects.filter(pk=batch.pk))


def find_last_mailing(user: User) -> Mailing | None:
    return _find(user, BatchOperation.objects.visible_to(user).order_by("-created_at", "-pk"))


def _find(user: User, batches: QuerySet[BatchOperation]) -> Mailing | None:
    """Return the first of these that is a mailing. Costs one query."""
    links = ConnectLink.objects.visible_to(user).filter(mailing=OuterRef("pk"))
    counted = links.count_progress().values(pair=JSONObject(word="word", number="number"))
    batch = batches.filter(operation=IS_MAILING).annotate(progress=ArraySubquery(counted)).first()
    if batch is None:
        return None
    numbers = {pair["word"]: pair["number"] for pair in vars(batch)["progress"]}
    return Mailing(batch, {word: numbers.get(word, 0) for word in Progress.values})


def find_links(user: User, batch: BatchOperation, connections: Collection[UUID]) -> dict[UUID, ConnectLink]:
    """Return the links of this operation by connection, with their progress."""
    if batch.operation != IS_MAILING:
        return {}
    links = ConnectLink.objects.visible_to(user).filter(mailing=batch.pk, connection__in=connections)
    found = links.with_progress().select_related("mail").order_by("created_at", "pk")
    return {link.connection_id: link for link in found if link.connection_id}
