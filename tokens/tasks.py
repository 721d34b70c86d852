"""The tasks of this app, each a door to one operation, and the functions that queue them."""

import logging
from typing import Any, cast
from uuid import UUID

from django.db import transaction
from procrastinate import JobContext
from procrastinate.contrib.django import app
from procrastinate.exceptions import AlreadyEnqueued
from procrastinate.tasks import Task

from amazon_accounts.amazon_ads.client import AmazonClient
from amazon_accounts.postgresql.threads import in_thread
from tokens import pruning
from tokens.alerts import create as alerts
from tokens.alerts import delivery
from tokens.connect import consent
from tokens.models import Connection, TokenRefresh
from tokens.processes import stalled
from tokens.refresh import lease
from tokens.refresh.one import MANY, refresh_due, refresh_queued

logger = logging.getLogger(__name__)

QUEUE = "tokens"
# What may take long, and so must not take the slots of the refreshes.
UPKEEP = "upkeep"


def amazon_of(context: JobContext) -> AmazonClient:
    """The one client of this worker process, which `runworker` hands to every task."""
    return cast("AmazonClient", context.additional_context["amazon"])


def defer_once(task: Task[Any, Any, Any], queueing_lock: str, **arguments: Any) -> bool:
    """Queue the task unless it waits already; return whether it was queued. Safe inside a transaction."""
    try:
        with transaction.atomic():
            task.configure(queueing_lock=queueing_lock).defer(**arguments)
    except AlreadyEnqueued:
        return False
    return True


@app.task(queue=QUEUE, name="tokens.refresh_due", pass_context=True)
async def refresh_due_tokens(context: JobContext) -> None:
    # Much is due: let another worker take its share, and it a third.
    if await in_thread(lease.count_due)(limit=MANY) == MANY:
        await in_thread(defer_once)(refresh_due_tokens, "tokens.refresh_due:help")
    # Before as well, or a refusal whose worker died before it was told would be lost when this check lifts it.
    await in_thread(alerts.note_application)()
    counts = await refresh_due(amazon_of(context))
    await in_thread(alerts.note_application)()
    if counts:
        logger.info("Refresh check: %s.", counts, extra={"action": "refresh_due", "counts": dict(counts)})


@app.task(queue=QUEUE, name="tokens.refresh_connection", pass_context=True)
async def refresh_connection(
    context: JobContext, connection_id: str, trigger: str, seen: int | None = None
) -> None:
    await refresh_queued(UUID(connection_id), TokenRefresh.Trigger(trigger), amazon_of(context), seen=seen)


def request_refresh(
    connection: Connection, *, trigger: TokenRefresh.Trigger = TokenRefresh.Trigger.MANUAL
) -> bool:
    """Queue a refresh of this connection; return False if one waits already.

    One for somebody who wants to use the token is not repeated when another has ended since the connection was read.
    """
    fence = {"seen": connection.refresh_count} if trigger == TokenRefresh.Trigger.ON_USE else {}
    return defer_once(
        refresh_connection,
        f"tokens.refresh:{connection.pk}",
        connection_id=str(connection.pk),
        trigger=trigger.value,
        **fence,
    )


# Before the syncs that wait for the same slots.
@app.task(queue=UPKEEP, name="tokens.send_alerts", priority=10)
def send_alerts() -> None:
    delivery.send_due()


@app.task(queue=QUEUE, name="tokens.warn_of_consent_ends")
def warn_of_consent_ends() -> None:
    consent.warn()


@app.task(queue=UPKEEP, name="tokens.prune")
def prune() -> None:
    pruning.prune()


@app.task(queue=QUEUE, name="tokens.rescue_stalled_jobs", pass_context=True)
async def rescue_stalled_jobs(context: JobContext) -> None:
    await stalled.rescue(context.app.job_manager)
