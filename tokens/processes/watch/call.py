"""The call of HEARTBEAT_URL, by which a watcher outside of the console knows that all is well."""

import logging
from http import HTTPStatus
from typing import Any, Final

import requests
from django.conf import settings
from django.db import connection

from amazon_accounts.outgoing.deadline import run_within
from amazon_accounts.outgoing.sessions import OutgoingSession
from amazon_accounts.postgresql.statements import load
from tokens.models import Failure
from tokens.processes.heartbeats import count_beats

logger = logging.getLogger(__name__)

# A little less than a minute, because the processes look every few seconds.
PAUSE_SECONDS: Final = 50.0
MAX_SECONDS: Final = 10.0


def call_while_all_is_well() -> bool:
    """Call HEARTBEAT_URL if nobody has in the last minute and nothing is wrong; return whether it was called."""
    if not settings.HEARTBEAT_URL or not _all_is_well():
        return False
    with connection.cursor() as cursor:
        cursor.execute(load(__file__, "take_call"), {"pause": PAUSE_SECONDS})
        is_ours = bool(cursor.rowcount)
    # No connection of the pool is held during the call.
    connection.close()
    return is_ours and _call()


def _all_is_well() -> bool:
    """Return whether the console works and many logins do not fail. What one login lacks may need its client."""
    alive = count_beats()
    lasting = Failure.objects.lasting().exclude(kind=Failure.Kind.LOGIN)
    return (
        alive.worker_is_alive
        and alive.scheduler_is_alive
        and not lasting.exclude(kind=Failure.Kind.MANY_LOGINS, told_at=None).exists()
    )


def _call() -> bool:
    try:
        status = run_within(MAX_SECONDS, _get)
    except (requests.RequestException, OSError, TimeoutError) as error:
        # The text of the error would have the address, which is secret.
        logger.warning("HEARTBEAT_URL could not be called: %s", type(error).__name__)
        return False
    if status >= HTTPStatus.BAD_REQUEST:
        logger.warning("HEARTBEAT_URL answers %d.", status)
    return status < HTTPStatus.BAD_REQUEST


def _get() -> int:
    # Only the status is read.
    options: dict[str, Any] = {"timeout": MAX_SECONDS, "stream": True, "allow_redirects": False}
    with OutgoingSession() as session, session.get(settings.HEARTBEAT_URL, **options) as answer:
        return answer.status_code
