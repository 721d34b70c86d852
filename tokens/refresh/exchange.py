"""One refresh: trade the refresh token of a claimed connection for an access token, and record how it went."""

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from typing import Final, ParamSpec, TypeVar

from django.conf import settings
from django.db import InterfaceError, OperationalError

from amazon_accounts.amazon_ads.client import AmazonClient
from amazon_accounts.amazon_ads.errors import AmazonError, GrantRevokedError, PostponedError
from amazon_accounts.amazon_ads.pacing.slots import CallStats
from amazon_accounts.postgresql.threads import in_thread
from tokens.encryption import DecryptionError
from tokens.errors import UnreadableTokenError
from tokens.models import TokenRefresh
from tokens.refresh import outcomes
from tokens.refresh.lease import Claim

logger = logging.getLogger(__name__)

Outcome = TokenRefresh.Outcome

CONFIRMATION_SECONDS: Final = 4.0
# Refused calls of one grant, the one with a token that another process had replaced included.
MOST_REFUSALS: Final = 3
OUTAGE_SECONDS: Final = 75.0

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")


@dataclass(frozen=True)
class Refreshed:
    """How one refresh ended."""

    outcome: TokenRefresh.Outcome
    access_token: str | None = field(default=None, repr=False)
    error: AmazonError | PostponedError | None = None


@dataclass(frozen=True)
class _NextTry:
    """The refresh token to ask with, and how often in a row it was refused already."""

    refresh_token: str = field(repr=False)
    refusals: int


class _Verdict(Enum):
    """What there is to do after a refused grant, when it is not to ask again."""

    GRANT_IS_DEAD = "dead"
    CLAIM_IS_LOST = "lost"


async def refresh_claimed(claim: Claim, amazon: AmazonClient, *, max_wait: float) -> Refreshed:
    """Refresh one connection. The caller keeps the lease alive meanwhile."""
    calls = CallStats()
    try:
        refreshed = await _exchanged(claim, amazon, max_wait, calls)
    except DecryptionError as error:
        refreshed = await give_back(claim, UnreadableTokenError(str(error)), calls)
    except (AmazonError, PostponedError) as error:
        refreshed = await give_back(claim, error, calls)
    _log(claim, refreshed, calls)
    return refreshed


async def give_back(
    claim: Claim, error: AmazonError | PostponedError, calls: CallStats | None = None
) -> Refreshed:
    """End a claim without a token, for this reason; the connection is tried again later."""
    tries = calls.requests if calls else 0
    outcome = await _recorded(outcomes.record_failure, claim, error, tries=tries)
    return Refreshed(outcome, error=error)


async def _exchanged(claim: Claim, amazon: AmazonClient, max_wait: float, calls: CallStats) -> Refreshed:
    refresh_token, refusals = claim.refresh_token.reveal(), claim.grant_refusals
    for _ in range(MOST_REFUSALS):
        asked_at = time.monotonic()
        try:
            grant = await amazon.lwa.refresh(
                refresh_token, subject=str(claim.connection_id), max_wait=max_wait, stats=calls
            )
        except GrantRevokedError as error:
            verdict = await _after_refusal(claim, refresh_token, refusals + 1)
            if verdict is _Verdict.CLAIM_IS_LOST:
                break
            if verdict is _Verdict.GRANT_IS_DEAD:
                outcome = await _recorded(outcomes.record_revoked, claim, error, tries=calls.requests)
                return Refreshed(outcome, error=error)
            refresh_token, refusals = verdict.refresh_token, verdict.refusals
        else:
            # Most of the time may have gone by in waiting for a slot and in tries that failed.
            sent_at = max(asked_at, time.monotonic() - settings.LWA_TIMEOUT_SECONDS)
            outcome = await _recorded(
                outcomes.record_success, claim, grant, sent_at=sent_at, tries=calls.requests
            )
            return Refreshed(outcome, access_token=grant.access_token)
    return Refreshed(await _recorded(outcomes.close_as_superseded, claim, tries=calls.requests))


async def _after_refusal(claim: Claim, refused: str, refusals: int) -> _NextTry | _Verdict:
    """Return what to ask with once more after so many refusals of one token, or that it is of no use.

    Another process may have stored a newer token, and a fault at Amazon may pass: so one refusal is not the end.
    """
    stored = await _recorded(outcomes.note_refusal, claim, refused, refusals)
    if stored is not None and stored.reveal() == refused:
        if refusals > 1:
            return _Verdict.GRANT_IS_DEAD
        await asyncio.sleep(CONFIRMATION_SECONDS)
        stored = await _recorded(outcomes.stored_refresh_token, claim)
    if stored is None:
        return _Verdict.CLAIM_IS_LOST
    refresh_token = stored.reveal()
    return _NextTry(refresh_token, refusals if refresh_token == refused else 0)


async def _recorded(
    function: Callable[Parameters, Result], *args: Parameters.args, **kwargs: Parameters.kwargs
) -> Result:
    """Record in the database, outlasting a restart of it: what Amazon answered must not be lost."""
    deadline = time.monotonic() + OUTAGE_SECONDS
    while True:
        try:
            return await in_thread(function)(*args, **kwargs)
        except (OperationalError, InterfaceError):
            if time.monotonic() > deadline:
                raise
        await asyncio.sleep(1)


def _log(claim: Claim, refreshed: Refreshed, calls: CallStats) -> None:
    went_well = refreshed.outcome == Outcome.SUCCEEDED
    logger.log(
        logging.INFO if went_well else logging.WARNING,
        "Refresh of connection %s: %s%s",
        *(claim.connection_id, refreshed.outcome.label, f". {refreshed.error}" if refreshed.error else "."),
        extra={
            "action": "token_refreshed" if went_well else "token_not_refreshed",
            "connection": str(claim.connection_id),
            "outcome": refreshed.outcome.value,
            "tries": calls.requests,
        },
    )
