"""What is done with the audit trail beside the operations."""

from procrastinate.contrib.django import app

from tokens.models import AuditLink
from tokens.people.audit.chain import chain_entries
from tokens.people.audit.pruning import prune_trail
from tokens.queues import UPKEEP


@app.task(queue=UPKEEP, name="tokens.chain_audit")
def chain_audit() -> None:
    chain_entries()


@app.task(queue=UPKEEP, name="tokens.prune_audit")
def prune_audit() -> int:
    return prune_trail()


def entries_wait() -> bool:
    return AuditLink.objects.filter(number=None).exists()
