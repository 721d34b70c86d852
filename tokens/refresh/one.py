"""Keeping tokens fresh: claim in the database, ask Amazon, record. One refresh of a login at a time, everywhere."""

import asyncio
from collections import Counter, deque
from collections.abc import Coroutine, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final
from uuid import UUID
from weakref import WeakKeyDictionary

from django.conf import settings
from django.db.models import F
from django.db.models.functions import Now
from django.db.models.lookups import LessThanOrEqual
from django.utils import timezone

from amazon_accounts.amazon_ads.client import AmazonClient
from amazon_accounts.amazon_ads.errors import (
    AmazonError,
    ApplicationRefusedError,
    GrantRevokedError,
    PostponedError,
)
from amazon_accounts.amazon_ads.models import ApplicationRefusal
from amazon_accounts.amazon_ads.pacing import application
from amazon_accounts.amazon_ads.pacing.pace import MAX_WAIT_SECONDS
from amazon_accounts.postgresql.threads import in_thread, reserved_threads
from tokens.encryption import DecryptionError
from tokens.errors import ERRORS, UnreadableTokenError, raise_if_unusable
from tokens.models import Connection, TokenRefresh
from tokens.refresh import lease
from tokens.refresh.exchange import Refreshed, give_back, refresh_claimed
from tokens.refresh.lease import Claim, LeaseKeeper, kept_leases

Outcome = TokenRefresh.Outcome
Trigger = TokenRefresh.Trigger

# Some more than the client has connections, so that these do not rest while an outcome is recorded.
CONCURRENCY: Final = 16
# Small, because what a process has claimed when it dies waits until its lease runs out.
CLAIM_SIZE: Final = 5
# When so many are due, another worker is asked to help.
MANY: Final = 100
# So many logins sent away one after the other: it is not about one of them.
SEVERAL: Final = 3
# A person who has mended something at Amazon and presses the button again is served after so long.
PERSON_WAITS_SECONDS: Final = 10.0
POLL_SECONDS: Final = 0.2
LOOK_AGAIN_SECONDS: Final = 0.5


class RefreshCounts(Counter[str]):
    """How many refreshes ended how, by outcome; `skipped` are those that could not be claimed."""

    @property
    def all_succeeded(self) -> bool:
        return set(self) <= {Outcome.SUCCEEDED.value}


# --- All that are due -------------------------------------------------------------------------------------


class _Backlog:
    """Claimed connections, and more as long as any were due when we began."""

    def __init__(self, before: datetime, keeper: LeaseKeeper) -> None:
        self._before = before
        self._keeper = keeper
        self._claimed: dict[bool, deque[Claim]] = {True: deque(), False: deque()}
        self._filling = asyncio.Lock()
        self._postponed_in_a_row = 0
        self._obstacle: AmazonError | PostponedError | None = None

    async def next(self, *, healthy: bool) -> Claim | None:
        claimed = self._claimed[healthy]
        async with self._filling:
            if not claimed and self._obstacle is None:
                claims = await in_thread(lease.claim_due)(
                    limit=CLAIM_SIZE, before=self._before, healthy=healthy
                )
                self._keeper.hold(claims)
                claimed.extend(claims)
            return claimed.popleft() if claimed else None

    async def looks_again(self) -> bool:
        """Wait for what a process that seems to have died held; return whether there is anything."""
        if self._obstacle is not None:
            return False
        seconds = await in_thread(lease.seconds_until_lost)()
        if seconds is None:
            return False
        # One that has run out may still be locked, and cannot be claimed until it is not.
        await asyncio.sleep(max(seconds, LOOK_AGAIN_SECONDS))
        self._before = await in_thread(lease.database_now)()
        return True

    def ended(self, claim: Claim, refreshed: Refreshed) -> None:
        """Take back a claim that was worked on; stop claiming when it is of no use to ask for others."""
        self._keeper.release(claim)
        if isinstance(refreshed.error, PostponedError) and refreshed.error.is_for_one_login:
            return  # It says nothing of the others.
        is_postponed = refreshed.outcome == Outcome.POSTPONED
        self._postponed_in_a_row = self._postponed_in_a_row + 1 if is_postponed else 0
        if refreshed.outcome == Outcome.CONFIG or self._postponed_in_a_row >= SEVERAL:
            self._obstacle = refreshed.error

    async def refusal_of(self, claim: Claim) -> Refreshed | None:
        """Give a claim back at once, for the reason that met the others, if there is one."""
        if self._obstacle is None:
            return None
        return await give_back(claim, self._obstacle)


async def refresh_due(amazon: AmazonClient, *, max_wait: float = MAX_WAIT_SECONDS) -> RefreshCounts:
    """Refresh every connection whose turn has come, and only those; any number of processes share the work.

    What a process that died left behind is done as soon as its lease runs out. Half of the slots leave those
    alone whose last refresh failed, so that they never starve the others. While Amazon refuses our application,
    one connection asks whether it still does.
    """
    counts = RefreshCounts()
    with reserved_threads():
        before = await in_thread(lease.database_now)()
        await _refresh_due(amazon, before, counts, max_wait)
    return counts


async def _refresh_due(
    amazon: AmazonClient, before: datetime, counts: RefreshCounts, max_wait: float
) -> None:
    async with kept_leases() as keeper:
        backlog = _Backlog(before, keeper)
        if not await _application_is_accepted(amazon, before, max_wait, counts):
            return

        async def work(lanes: tuple[bool, ...]) -> None:
            for healthy in lanes:
                while (claim := await backlog.next(healthy=healthy)) is not None:
                    refreshed = await backlog.refusal_of(claim) or await refresh_claimed(
                        claim, amazon, max_wait=max_wait
                    )
                    backlog.ended(claim, refreshed)
                    counts[refreshed.outcome.value] += 1

        while True:
            await _all(work((True, False) if number % 2 == 0 else (True,)) for number in range(CONCURRENCY))
            if not await backlog.looks_again():
                return


async def _application_is_accepted(
    amazon: AmazonClient, before: datetime, max_wait: float, counts: RefreshCounts
) -> bool:
    """Say whether Amazon may be asked; if it refused us lately, one probe per check finds out."""
    refusal = await in_thread(_application_refusal)()
    if refusal is None:
        return True
    # By half a pause sooner than who wants to use a token, so that as a rule it is the check that asks.
    if not await in_thread(application.take_probe)(refusal, pause=settings.TOKEN_REFRESH_CHECK_SECONDS / 2):
        return False
    for healthy in (True, False):
        for claim in await in_thread(lease.claim_due)(limit=1, before=before, healthy=healthy):
            async with kept_leases() as keeper:
                keeper.hold([claim])
                refreshed = await refresh_claimed(claim, amazon, max_wait=max_wait)
            counts[refreshed.outcome.value] += 1
            return await _shows_acceptance(refreshed)
    return True


async def _shows_acceptance(refreshed: Refreshed) -> bool:
    """Lift the refusal if Amazon answered about the login, which it does only for an application it accepts."""
    if refreshed.outcome not in {Outcome.SUCCEEDED, Outcome.REAUTHORIZATION_REQUIRED, Outcome.SUPERSEDED}:
        return False
    # What ends as superseded may have failed for any reason.
    if refreshed.error is not None and not isinstance(refreshed.error, GrantRevokedError):
        return False
    await in_thread(application.record_acceptance)(settings.AMAZON_CLIENT_ID, settings.AMAZON_CLIENT_SECRET)
    return True


def _application_refusal() -> ApplicationRefusal | None:
    return application.get_refusal(settings.AMAZON_CLIENT_ID, settings.AMAZON_CLIENT_SECRET)


async def refresh_connections(
    connection_ids: Iterable[UUID],
    trigger: TokenRefresh.Trigger,
    amazon: AmazonClient,
    *,
    max_wait: float = MAX_WAIT_SECONDS,
) -> RefreshCounts:
    """Refresh these connections now, due or not; one that is being refreshed already is waited for.

    While Amazon refuses our application, the first one asks whether it still does.
    """
    counts = RefreshCounts()
    waiting = deque(connection_ids)
    if waiting and await in_thread(_application_refusal)() is not None:
        probed = await _outcome_of(waiting.popleft(), trigger, amazon, max_wait)
        counts[probed] += 1
        if probed == Outcome.CONFIG:
            counts[probed] += len(waiting)
            return counts

    async def work() -> None:
        while waiting:
            counts[await _outcome_of(waiting.popleft(), trigger, amazon, max_wait)] += 1

    with reserved_threads():
        await _all(work() for _ in range(min(CONCURRENCY, len(waiting))))
    return counts


async def refresh_queued(
    connection_id: UUID,
    trigger: TokenRefresh.Trigger,
    amazon: AmazonClient,
    *,
    seen: int | None = None,
    max_wait: float = MAX_WAIT_SECONDS,
) -> None:
    """Refresh the connection that a task was queued for, unless it was refreshed since so many were `seen`.

    There may be hundreds of such tasks: while Amazon refuses our application, one in a while asks whether it still
    does, and the others end without a call.
    """
    pause: float = settings.TOKEN_REFRESH_CHECK_SECONDS
    if trigger != Trigger.ON_USE:
        pause = min(pause, PERSON_WAITS_SECONDS)
    with reserved_threads():
        await _outcome_of(connection_id, trigger, amazon, max_wait, seen=seen, probe_pause=pause)


async def _outcome_of(
    connection_id: UUID,
    trigger: TokenRefresh.Trigger,
    amazon: AmazonClient,
    max_wait: float,
    *,
    seen: int | None = None,
    probe_pause: float | None = None,
) -> str:
    try:
        refreshed = await _refresh_one(
            connection_id, trigger, amazon, max_wait=max_wait, seen=seen, probe_pause=probe_pause
        )
    except (GrantRevokedError, ApplicationRefusedError):
        return "skipped"
    return refreshed.outcome.value if refreshed else "skipped"


async def _all(coroutines: Iterable[Coroutine[Any, Any, None]]) -> None:
    """Run all to their end; then raise what the first to fail raised. One's defect must not cut off the others."""
    for result in await asyncio.gather(*coroutines, return_exceptions=True):
        if isinstance(result, BaseException):
            raise result


# --- One connection, for whoever asks -----------------------------------------------------------------------


async def _refresh_one(
    connection_id: UUID,
    trigger: TokenRefresh.Trigger,
    amazon: AmazonClient,
    *,
    max_wait: float,
    seen: int | None = None,
    probe_pause: float | None = None,
) -> Refreshed | None:
    """Refresh this connection, or wait for the refresh that is under way.

    None if `seen`, the count of refreshes that the caller saw, is no longer true: then there is a newer token.
    Raises what `_holder` raises if the connection can have none. With a `probe_pause`, while Amazon refuses our
    application, the caller asks whether it still does only if nobody has for so many seconds; all others get
    ApplicationRefusedError without a call.
    """
    refusal = await in_thread(_application_refusal)()
    if (
        refusal is not None
        and probe_pause is not None
        and not await in_thread(application.take_probe)(refusal, pause=probe_pause)
    ):
        raise ApplicationRefusedError(refusal.message, code=refusal.code)
    while True:
        claim = await in_thread(lease.claim_one)(connection_id, trigger, seen=seen)
        if claim is not None:
            async with kept_leases() as keeper:
                keeper.hold([claim])
                refreshed = await refresh_claimed(claim, amazon, max_wait=max_wait)
            if refusal is not None:
                await _shows_acceptance(refreshed)
            return refreshed
        holder = await in_thread(_holder)(connection_id)
        if seen is not None and holder.refresh_count != seen:
            return None
        others = await _awaited(holder.lease_id) if holder.lease_id else None
        if others is not None and others.outcome not in {Outcome.LOST, Outcome.SUPERSEDED}:
            return others
        await asyncio.sleep(POLL_SECONDS)


def _holder(connection_id: UUID) -> Connection:
    """Read who refreshes this connection now; raise an AmazonError if nobody may."""
    connection = Connection.objects.only("state", "client_id", "lease_id", "refresh_count", "last_error").get(
        pk=connection_id
    )
    raise_if_unusable(connection)
    return connection


async def _awaited(refresh_id: UUID) -> Refreshed | None:
    """Wait for another's refresh to end; None when its lease runs out first."""
    while True:
        known, refreshed = await in_thread(_ended)(refresh_id)
        if refreshed is not None or not known:
            return refreshed
        await asyncio.sleep(POLL_SECONDS)


def _ended(refresh_id: UUID) -> tuple[bool, Refreshed | None]:
    """Say whether a refresh is still held, and how it ended if it did."""
    refresh = (
        TokenRefresh.objects.filter(pk=refresh_id)
        .values_list("outcome", "error", "error_code", "connection__lease_id")
        .annotate(is_late=LessThanOrEqual(F("connection__next_refresh_at"), Now()))
        .first()
    )
    if refresh is None:
        return False, None
    outcome, text, code, lease_id, is_late = refresh
    if outcome is None:
        return lease_id == refresh_id and not is_late, None
    error_class = ERRORS.get(outcome)
    error = error_class(text, code=code) if error_class else None
    return True, Refreshed(Outcome(outcome), error=error)


@dataclass(frozen=True)
class _Stored:
    """A connection's token as it stands in the database."""

    refresh_count: int
    access_token: str | None = field(default=None, repr=False)
    remaining: float = 0.0
    life: float = 0.0

    def lives_for(self, minimum_life: float) -> bool:
        """Say whether this token has so many seconds left; one that lives short need not have as many."""
        return self.remaining > min(minimum_life, self.life / 4)


def _stored(connection_id: UUID) -> _Stored:
    connection = Connection.objects.defer("refresh_token").get(pk=connection_id)
    raise_if_unusable(connection)
    if connection.expires_at is None or connection.access_token is None:
        return _Stored(connection.refresh_count)
    try:
        access_token = connection.access_token.reveal()
    except DecryptionError as error:
        raise UnreadableTokenError from error
    obtained_at = connection.last_refreshed_at or connection.created_at
    return _Stored(
        connection.refresh_count,
        access_token,
        remaining=(connection.expires_at - timezone.now()).total_seconds(),
        life=(connection.expires_at - obtained_at).total_seconds(),
    )


_under_way: WeakKeyDictionary[AmazonClient, dict[UUID, "asyncio.Task[Refreshed | None]"]] = (
    WeakKeyDictionary()
)


async def _shared_refresh(
    connection_id: UUID, amazon: AmazonClient, *, max_wait: float, seen: int
) -> Refreshed | None:
    """Refresh once for all who ask in this process meanwhile; one who stops waiting does not stop the others."""
    tasks = _under_way.setdefault(amazon, {})
    task = tasks.get(connection_id)
    if task is None:
        with reserved_threads():
            task = asyncio.create_task(
                _refresh_one(
                    connection_id,
                    Trigger.ON_USE,
                    amazon,
                    max_wait=max_wait,
                    seen=seen,
                    probe_pause=settings.TOKEN_REFRESH_CHECK_SECONDS,
                ),
                name=f"refresh token of {connection_id}",
            )
        tasks[connection_id] = task
        task.add_done_callback(lambda ended: _forget(tasks, connection_id, ended))
    return await asyncio.shield(task)


def _forget(
    tasks: dict[UUID, "asyncio.Task[Refreshed | None]"],
    connection_id: UUID,
    ended: "asyncio.Task[Refreshed | None]",
) -> None:
    del tasks[connection_id]
    if not ended.cancelled():
        ended.exception()  # seen, even when all who waited have gone


async def access_token(
    connection_id: UUID,
    *,
    amazon: AmazonClient,
    rejected: str | None = None,
    minimum_life: float = 60.0,
    max_wait: float = MAX_WAIT_SECONDS,
) -> str:
    """Return a token that is valid for the next minute, refreshed if need be, one refresh at a time everywhere.

    `rejected` is a token that Amazon just answered 401 to. Raises an AmazonError or PostponedError if there is
    no token to be had.
    """
    while True:
        stored = await in_thread(_stored)(connection_id)
        if stored.access_token not in {None, rejected} and stored.lives_for(minimum_life):
            return stored.access_token
        refreshed = await _shared_refresh(connection_id, amazon, max_wait=max_wait, seen=stored.refresh_count)
        if refreshed is None or refreshed.outcome in {Outcome.LOST, Outcome.SUPERSEDED}:
            continue
        if refreshed.error is not None:
            raise refreshed.error
        if refreshed.access_token is not None:
            return refreshed.access_token
        # Another process has it; what it has just fetched serves, however short its life.
        minimum_life = 0.0


class ConnectionTokenSource:
    """The tokens of one connection, as the client asks for them."""

    def __init__(
        self, connection_id: UUID, amazon: AmazonClient, *, max_wait: float = MAX_WAIT_SECONDS
    ) -> None:
        self.connection_id = connection_id
        self._amazon = amazon
        self._max_wait = max_wait

    async def __call__(self, rejected: str | None = None) -> str:
        return await access_token(
            self.connection_id, amazon=self._amazon, rejected=rejected, max_wait=self._max_wait
        )
