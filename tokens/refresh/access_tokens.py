"""The stored access token of a connection, and a fresh one for our own calls to Amazon."""

from dataclasses import dataclass, field
from typing import Final
from uuid import UUID

from django.conf import settings

from amazon_accounts.amazon_ads.client import AmazonClient
from amazon_accounts.amazon_ads.pacing.pace import MAX_WAIT_SECONDS
from amazon_accounts.postgresql.clock import approximate_now
from amazon_accounts.postgresql.threads import in_thread, reserved_threads
from tokens.encryption import DecryptionError
from tokens.errors import UnreadableTokenError, raise_if_unusable
from tokens.models import Connection, TokenRefresh
from tokens.refresh.exchange import Refreshed
from tokens.refresh.one import refresh_one

MIN_LIFE_SECONDS: Final = 60.0


@dataclass(frozen=True, kw_only=True)
class StoredToken:
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


def read_stored_token(connection: Connection) -> StoredToken:
    """Decrypt the stored token. Raises AmazonError if the connection cannot be used."""
    raise_if_unusable(connection)
    if connection.expires_at is None or connection.access_token is None:
        return StoredToken()
    try:
        access_token = connection.access_token.reveal()
    except DecryptionError as error:
        raise UnreadableTokenError(str(error)) from error
    obtained_at = connection.last_refreshed_at or connection.created_at
    return StoredToken(
        access_token=access_token,
        seconds_left=(connection.expires_at - approximate_now()).total_seconds(),
        life_seconds=(connection.expires_at - obtained_at).total_seconds(),
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
        access_token = read_stored_token(connection).choose(was_refreshed=was_refreshed)
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
