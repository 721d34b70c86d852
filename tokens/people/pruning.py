"""Sessions that have ended are deleted."""

import logging

from procrastinate.contrib.django import app

from amazon_accounts.postgresql.deletion import BATCH_SIZE, delete_in_batches
from tokens.models.session import Session
from tokens.queues import UPKEEP

logger = logging.getLogger(__name__)


@app.task(queue=UPKEEP, name="tokens.prune_sessions")
def prune_sessions(*, batch_size: int = BATCH_SIZE) -> int:
    pruned = delete_in_batches(Session.objects.ended(), batch_size=batch_size)
    if pruned:
        logger.info("Pruned %d sessions that had ended.", pruned)
    return pruned
