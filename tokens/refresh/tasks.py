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
from tokens.models import AuditEntry, Connection, TokenRefresh
from tokens.people.audit import Action, record_audit
from tokens.people.audit.origin import Origin, come_from
from tokens.people.keys import find_actor, get_api_key_id
from tokens.permissions import System, may, require
from tokens.queues import TOKENS, amazon_of, defer_once
from tokens.refresh.delays import longest_retry_delay
from tokens.refresh.due import refresh_due
from tokens.refresh.lease import count_due
from tokens.refresh.one import refresh_queued

logger = logging.getLogger(__name__)

# When this number of connections is due, another worker is asked to help.
MANY_DUE = 100
# The priority of a refresh for which a person waits.
PEOPLE_FIRST = 10
REFRESH = "tokens.refresh_connection"
LOST_RIGHT = "Who asked for this refresh may not refresh this connection any more."


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


@app.task(queue=TOKENS, name="tokens.refresh_for_person", pass_context=True)
async def refresh_for_person(
    context: JobContext, connection_id: str, person_id: int, key_id: str | None
) -> None:
    if await in_thread(_is_still_permitted)(connection_id, person_id, UUID(key_id) if key_id else None):
        await refresh_queued(UUID(connection_id), TokenRefresh.Trigger.MANUAL, amazon_of(context))


def _is_still_permitted(connection_id: str, person_id: int, key_id: UUID | None) -> bool:
    """Return whether who asked for a refresh may still have it. If not, the audit trail says so."""
    connection = Connection.objects.filter(pk=connection_id).first()
    if connection is None:
        return False
    asker = find_actor(person_id, key_id)
    if asker is not None and may(asker, REFRESH, connection):
        return True
    with come_from(Origin(key_id=str(key_id or ""))):
        record_audit(
            User.objects.filter(pk=person_id).first(),
            Action.CONNECTION_REFRESH,
            connection,
            after={"reason": LOST_RIGHT},
            outcome=AuditEntry.Outcome.REFUSED,
        )
    return False


def request_refresh(user: User | System, connection: Connection) -> bool:
    """Queue a refresh; return False if a refresh waits already. When it begins, the right is checked again.

    Raises PermissionDenied or ConnectionUnusableError.
    """
    require(user, REFRESH, connection)
    refuse_unusable(connection)
    with transaction.atomic():
        is_new = _queue_request(user, connection)
        if is_new:
            record_audit(user, Action.CONNECTION_REFRESH, connection)
    return is_new


def _queue_request(user: User | System, connection: Connection) -> bool:
    if isinstance(user, System):
        return queue_refresh(connection, trigger=TokenRefresh.Trigger.MANUAL)
    key_id = get_api_key_id(user)
    return defer_once(
        refresh_for_person,
        _name_lock(connection),
        priority=PEOPLE_FIRST,
        connection_id=str(connection.pk),
        person_id=user.pk,
        key_id=None if key_id is None else str(key_id),
    )


def _name_lock(connection: Connection) -> str:
    return f"tokens.refresh:{connection.pk}"


def queue_refresh(connection: Connection, *, trigger: TokenRefresh.Trigger) -> bool:
    # No permission is checked here, because the operation that calls this has checked it.
    # A refresh for the use of a token is not made when another one has stored a new token meanwhile.
    fence: dict[str, Any] = (
        {"seen": connection.refresh_count} if trigger == TokenRefresh.Trigger.ON_USE else {}
    )
    return defer_once(
        refresh_connection,
        _name_lock(connection),
        priority=PEOPLE_FIRST if trigger == TokenRefresh.Trigger.MANUAL else None,
        connection_id=str(connection.pk),
        trigger=trigger.value,
        **fence,
    )
