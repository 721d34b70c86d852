"""One refresh under a lease: trade the refresh token for an access token, and record the outcome."""

import asyncio
import contextlib
import logging
import time
from dataclasses import dataclass, field
from enum import Enum
from typing import Final

from django.conf import settings
from django.db import InterfaceError, OperationalError

from amazon_accounts.amazon_ads.client import AmazonClient
from amazon_accounts.amazon_ads.errors import AmazonError, GrantRevokedError, PostponedError
from amazon_accounts.amazon_ads.pacing.slots import CallStats
from amazon_accounts.postgresql.measures import REFRESHES
from amazon_accounts.postgresql.outlasting import outlast_outage
from amazon_accounts.postgresql.threads import in_thread
from tokens.encryption import DecryptionError
from tokens.errors import UnreadableTokenError
from tokens.models import TokenRefresh
from tokens.refresh import outcomes
from tokens.refresh.lease import Lease

logger = logging.getLogger(__name__)

Outcome = TokenRefresh.Outcome

# Refused calls for one lease. A call with a refresh token that another process had replaced counts too.
MAX_REFUSALS: Final = 3


@dataclass(frozen=True)
class Refreshed:
    """How one refresh ended."""

    outcome: TokenRefresh.Outcome
    access_token: str | None = field(default=None, repr=False)
    error: AmazonError | PostponedError | None = None
    # Of the answer, as Amazon names it.
    request_id: str = ""


@dataclass(frozen=True)
class _NextTry:
    """The refresh token to ask with next, and how often in a row Amazon has refused it."""

    refresh_token: str = field(repr=False)
    refusals: int


class _Verdict(Enum):
    """Why Amazon is not asked again after a refusal."""

    GRANT_IS_DEAD = "dead"
    LEASE_IS_LOST = "lost"


async def refresh_leased(lease: Lease, amazon: AmazonClient, *, max_wait: float) -> Refreshed:
    # The caller renews the lease meanwhile.
    calls = CallStats()
    began_at = time.monotonic()
    try:
        refreshed = await _exchange(lease, amazon, max_wait, calls)
    except DecryptionError as error:
        refreshed = await record_as_failed(lease, UnreadableTokenError(str(error)), calls)
    except (AmazonError, PostponedError) as error:
        refreshed = await record_as_failed(lease, error, calls)
    except asyncio.CancelledError:
        # A worker that stops closes the refresh as lost after this. Amazon may have had the call all the same.
        with contextlib.suppress(OperationalError, InterfaceError):
            await in_thread(outcomes.note_calls)(lease, tries=calls.requests)
        raise
    _report(lease, refreshed, calls, time.monotonic() - began_at)
    return refreshed


async def record_as_failed(
    lease: Lease, error: AmazonError | PostponedError, calls: CallStats | None = None
) -> Refreshed:
    tries = calls.requests if calls else 0
    outcome = await outlast_outage(outcomes.record_failure, lease, error, tries=tries)
    return Refreshed(outcome, error=error)


async def _exchange(lease: Lease, amazon: AmazonClient, max_wait: float, calls: CallStats) -> Refreshed:
    refresh_token, refusals = lease.refresh_token.reveal(), lease.grant_refusals
    for _ in range(MAX_REFUSALS):
        asked_at = time.monotonic()
        try:
            grant = await amazon.lwa.refresh(
                refresh_token, subject=str(lease.connection_id), max_wait=max_wait, stats=calls
            )
        except GrantRevokedError as error:
            verdict = await _judge_refusal(lease, refresh_token, refusals + 1)
            if verdict is _Verdict.LEASE_IS_LOST:
                break
            if verdict is _Verdict.GRANT_IS_DEAD:
                outcome = await outlast_outage(outcomes.record_revoked, lease, error, tries=calls.requests)
                return Refreshed(outcome, error=error)
            refresh_token, refusals = verdict.refresh_token, verdict.refusals
        else:
            # Most of the time since `asked_at` may have gone into waiting for a slot and into failed tries.
            sent_at = max(asked_at, time.monotonic() - settings.LWA_TIMEOUT_SECONDS)
            outcome = await outlast_outage(
                outcomes.record_success, lease, grant, sent_at=sent_at, tries=calls.requests
            )
            return Refreshed(outcome, access_token=grant.access_token, request_id=grant.request_id)
    return Refreshed(await outlast_outage(outcomes.close_as_superseded, lease, tries=calls.requests))


async def _judge_refusal(lease: Lease, refused: str, refusals: int) -> _NextTry | _Verdict:
    # One refusal is not the end: another process may have stored a newer token, and a fault at Amazon may pass.
    stored = await outlast_outage(outcomes.record_refusal, lease, refused, refusals)
    if stored is not None and stored.reveal() == refused:
        if refusals > 1:
            return _Verdict.GRANT_IS_DEAD
        await asyncio.sleep(settings.TOKEN_REFUSAL_CONFIRMATION_SECONDS)
        stored = await outlast_outage(outcomes.read_refresh_token, lease)
    if stored is None:
        return _Verdict.LEASE_IS_LOST
    refresh_token = stored.reveal()
    return _NextTry(refresh_token, refusals if refresh_token == refused else 0)


def _report(lease: Lease, refreshed: Refreshed, calls: CallStats, seconds: float) -> None:
    REFRESHES.time(seconds, refreshed.outcome)
    succeeded = refreshed.outcome == Outcome.SUCCEEDED
    logger.log(
        logging.INFO if succeeded else logging.WARNING,
        "Refresh of connection %s: %s%s",
        lease.connection_id,
        refreshed.outcome.label,
        f". {refreshed.error}" if refreshed.error else ".",
        extra={
            "action": "token_refreshed" if succeeded else "token_not_refreshed",
            "connection": str(lease.connection_id),
            "outcome": refreshed.outcome.value,
            "tries": calls.requests,
            "seconds": round(seconds, 3),
            "request_id": getattr(refreshed.error, "request_id", "") or refreshed.request_id,
        },
    )
