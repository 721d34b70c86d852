"""Where access tokens are used: by our own calls to Amazon, and by other services of the company."""

import time
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final
from uuid import UUID

from django.conf import settings
from django.contrib.auth.models import User
from django.db import connection as database

from amazon_accounts.amazon_ads.client import AmazonClient
from amazon_accounts.amazon_ads.errors import AmazonError
from amazon_accounts.amazon_ads.hosts import api_url
from amazon_accounts.amazon_ads.pacing.pace import MAX_WAIT_SECONDS
from amazon_accounts.postgresql.clock import approximate_now
from amazon_accounts.postgresql.threads import in_thread, reserved_threads
from tokens.encryption import DecryptionError
from tokens.errors import ConnectionUnusableError, UnreadableTokenError, raise_if_unusable
from tokens.models import AccessTokenRequest, Connection, TokenRefresh
from tokens.permissions import require
from tokens.refresh.exchange import Refreshed
from tokens.refresh.one import refresh_one
from tokens.refresh.tasks import queue_refresh

MIN_LIFE_SECONDS: Final = 60.0
RETRY_AFTER_SECONDS: Final = 5

Outcome = AccessTokenRequest.Outcome


class TokenNotReadyError(Exception):
    """No valid token could be had in time; ask again."""

    retry_after = RETRY_AFTER_SECONDS

    def __init__(self) -> None:
        super().__init__(self.__doc__)


@dataclass(frozen=True)
class AccessTokenAnswer:
    """A valid access token and what is needed to use it."""

    access_token: str = field(repr=False)
    expires_at: datetime
    client_id: str
    hosts: dict[str, str]

    @property
    def token_type(self) -> str:
        return "bearer"


@dataclass(frozen=True, kw_only=True)
class _StoredToken:
    """The access token of a connection as it is stored."""

    access_token: str | None = field(default=None, repr=False)
    seconds_left: float = 0.0
    life_seconds: float = 0.0

    @property
    def is_fresh(self) -> bool:
        # A token that lives only a minute never has MIN_LIFE_SECONDS left, so a quarter of its life is enough.
        return self.seconds_left > min(MIN_LIFE_SECONDS, self.life_seconds / 4)

    def choose(self, *, was_refreshed: bool) -> str | None:
        # A token whose whole life is short is not fresh even when it is new. It serves until its end.
        return self.access_token if self.is_fresh or (was_refreshed and self.seconds_left > 0) else None


def _read_stored_token(connection: Connection) -> _StoredToken:
    raise_if_unusable(connection)
    if connection.expires_at is None or connection.access_token is None:
        return _StoredToken()
    try:
        access_token = connection.access_token.reveal()
    except DecryptionError as error:
        raise UnreadableTokenError(str(error)) from error
    obtained_at = connection.last_refreshed_at or connection.created_at
    return _StoredToken(
        access_token=access_token,
        seconds_left=(connection.expires_at - approximate_now()).total_seconds(),
        life_seconds=(connection.expires_at - obtained_at).total_seconds(),
    )


def hand_out_access_token(user: User, connection_id: UUID, remote_addr: str | None) -> AccessTokenAnswer:
    """Give a valid token to a person who may use it, and record who got it.

    A stored token that is fresh is given at once. Otherwise a refresh is queued and waited for, for
    ACCESS_TOKEN_WAIT_SECONDS. Raises PermissionDenied, Connection.DoesNotExist (also for a connection that the
    person may not see), ConnectionUnusableError or TokenNotReadyError.
    """
    require(user, "tokens.use_access_token")
    connection = Connection.objects.visible_to(user).get(pk=connection_id)
    try:
        answer = _answer_from(connection) or _wait_for_refresh(connection)
    except AmazonError as error:
        _audit(connection, user, remote_addr, Outcome.REFUSED)
        raise ConnectionUnusableError(str(error)) from error
    _audit(connection, user, remote_addr, Outcome.GIVEN if answer else Outcome.UNAVAILABLE)
    if answer is None:
        raise TokenNotReadyError
    return answer


def _answer_from(connection: Connection, *, was_refreshed: bool = False) -> AccessTokenAnswer | None:
    access_token = _read_stored_token(connection).choose(was_refreshed=was_refreshed)
    if access_token is None or connection.expires_at is None:
        return None
    return AccessTokenAnswer(
        access_token=access_token,
        expires_at=connection.expires_at,
        client_id=connection.client_id,
        hosts={region: api_url(region) for region in connection.regions},
    )


def _wait_for_refresh(connection: Connection) -> AccessTokenAnswer | None:
    seen = connection.refresh_count
    queue_refresh(connection, trigger=TokenRefresh.Trigger.ON_USE)
    deadline = time.monotonic() + settings.ACCESS_TOKEN_WAIT_SECONDS
    while time.monotonic() < deadline:
        # Back to the pool while we wait.
        database.close()
        time.sleep(settings.TOKEN_REFRESH_POLL_SECONDS)
        connection.refresh_from_db()
        if answer := _answer_from(connection, was_refreshed=connection.refresh_count != seen):
            return answer
    return None


def _audit(
    connection: Connection, user: User, remote_addr: str | None, outcome: AccessTokenRequest.Outcome
) -> None:
    AccessTokenRequest.objects.create(
        connection=connection, user=user, remote_addr=remote_addr, outcome=outcome
    )


async def get_access_token(
    connection_id: UUID,
    *,
    amazon: AmazonClient,
    rejected: str | None = None,
    max_wait: float = MAX_WAIT_SECONDS,
) -> str:
    """Return a fresh token for a call to Amazon, and refresh it first if necessary.

    `rejected` is a token that Amazon has just answered with 401. Raises AmazonError or PostponedError if no
    token can be had.
    """
    was_refreshed = False
    while True:
        connection = await in_thread(Connection.objects.defer("refresh_token").get)(pk=connection_id)
        access_token = _read_stored_token(connection).choose(was_refreshed=was_refreshed)
        if access_token is not None and access_token != rejected:
            return access_token
        refreshed = await _refresh_for_all(connection, amazon, max_wait)
        if refreshed is None or refreshed.outcome in {
            TokenRefresh.Outcome.LOST,
            TokenRefresh.Outcome.SUPERSEDED,
        }:
            continue
        if refreshed.error is not None:
            raise refreshed.error
        if refreshed.access_token is not None:
            return refreshed.access_token
        # Another process refreshed it, and has stored the token.
        was_refreshed = True


async def _refresh_for_all(connection: Connection, amazon: AmazonClient, max_wait: float) -> Refreshed | None:
    # Callers in this process who ask for the same connection share one refresh.
    with reserved_threads():
        return await amazon.shared_calls.join(
            ("refresh", connection.pk),
            lambda: refresh_one(
                connection.pk,
                TokenRefresh.Trigger.ON_USE,
                amazon,
                max_wait=max_wait,
                seen=connection.refresh_count,
                probe_pause=settings.TOKEN_REFRESH_CHECK_SECONDS,
            ),
        )


class ConnectionTokenSource:
    """The tokens of one connection, as AmazonClient asks for them."""

    def __init__(
        self, connection_id: UUID, amazon: AmazonClient, *, max_wait: float = MAX_WAIT_SECONDS
    ) -> None:
        self.connection_id = connection_id
        self._amazon = amazon
        self._max_wait = max_wait

    async def __call__(self, rejected: str | None = None) -> str:
        return await get_access_token(
            self.connection_id, amazon=self._amazon, rejected=rejected, max_wait=self._max_wait
        )
