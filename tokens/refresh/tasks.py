"""The tasks that keep tokens valid, and the request for one refresh."""

import logging
from typing import Any
from uuid import UUID

from django.contrib.auth.models import User
from django.db import transaction
from procrastinate import JobContext
from procrastinate.contrib.django import app

from amazon_accounts.postgresql.clock import database_now
from amazon_accounts.postgresql.threads import in_thread
from tokens.alerts import create as alerts
from tokens.errors import refuse_unusable
from tokens.models import Connection, TokenRefresh
from tokens.people.audit import Action, record_audit
from tokens.permissions import System, require
from tokens.queues import TOKENS, amazon_of, defer_once
from tokens.refresh.delays import longest_retry_delay
from tokens.refresh.due import refresh_due
from tokens.refresh.lease import count_due
from tokens.refresh.one import refresh_queued

logger = logging.getLogger(__name__)

# When this number of connections is due, another worker is asked to help.
MANY_DUE = 100


@app.task(queue=TOKENS, name="tokens.refresh_due", pass_context=True)
async def refresh_due_tokens(context: JobContext) -> None:
    if await in_thread(count_due)(limit=MANY_DUE) == MANY_DUE:
        # The helper comes through here as well, and may ask for a third.
        await in_thread(defer_once)(refresh_due_tokens, "tokens.refresh_due:help")
    # Before the check as well: its worker may have died right after a refusal, which this check may lift.
    await in_thread(alerts.alert_application)()
    counts = await refresh_due(amazon_of(context))
    if counts.may_soon_succeed:
        await in_thread(_queue_another_check)()
    await in_thread(alerts.alert_application)()
    if counts:
        logger.info("Refresh check: %s.", counts, extra={"action": "refresh_due", "counts": dict(counts)})


def _queue_another_check() -> None:
    # The scheduler's next check may be minutes away, and the tokens may end before it.
    at = database_now() + longest_retry_delay()
    defer_once(refresh_due_tokens, "tokens.refresh_due:retry", at=at)


@app.task(queue=TOKENS, name="tokens.refresh_connection", pass_context=True)
async def refresh_connection(
    context: JobContext, connection_id: str, trigger: str, seen: int | None = None
) -> None:
    await refresh_queued(UUID(connection_id), TokenRefresh.Trigger(trigger), amazon_of(context), seen=seen)


def request_refresh(user: User | System, connection: Connection) -> bool:
    """Queue a refresh; return False if a refresh waits already.

    Raises PermissionDenied or ConnectionUnusableError.
    """
    require(user, "tokens.refresh_connection", connection)
    refuse_unusable(connection)
    with transaction.atomic():
        is_new = queue_refresh(connection, trigger=TokenRefresh.Trigger.MANUAL)
        if is_new:
            record_audit(user, Action.CONNECTION_REFRESH, connection)
    return is_new


def queue_refresh(connection: Connection, *, trigger: TokenRefresh.Trigger) -> bool:
    # No permission is checked here, because the operation that calls this has checked it.
    # A refresh for the use of a token is not made when another one has stored a new token meanwhile.
    fence: dict[str, Any] = (
        {"seen": connection.refresh_count} if trigger == TokenRefresh.Trigger.ON_USE else {}
    )
    return defer_once(
        refresh_connection,
        f"tokens.refresh:{connection.pk}",
        # A person waits for it.
        priority=10 if trigger == TokenRefresh.Trigger.MANUAL else None,
        connection_id=str(connection.pk),
        trigger=trigger.value,
        **fence,
    )
