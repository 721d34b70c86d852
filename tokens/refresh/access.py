"""Access tokens for other services of the company: asked for by name, written down, never stored elsewhere."""

import time
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from django.contrib.auth.models import User
from django.db import connection as database
from django.utils import timezone

from amazon_accounts.amazon_ads.hosts import api_url
from tokens.encryption import DecryptionError
from tokens.errors import ConnectionUnusableError, refuse_unusable
from tokens.models import AccessTokenRequest, Connection, TokenRefresh
from tokens.people.permissions import require
from tokens.refresh.tasks import queue_refresh

ENOUGH: Final = timedelta(seconds=60)
PATIENCE_SECONDS: Final = 5.0
POLL_SECONDS: Final = 0.25
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
    token_type: str = "bearer"  # noqa: S105  the kind, not a token


def hand_out_access_token(user: User, connection_id: UUID, remote_addr: str | None) -> AccessTokenAnswer:
    """Give a valid token to who may use it, and write down who had it.

    At once if the stored one has a minute left; else a refresh is queued and waited for, for five seconds. Raises
    PermissionDenied, Connection.DoesNotExist (also for what is another's), ConnectionUnusableError or
    TokenNotReadyError.
    """
    require(user, "tokens.use_access_token")
    connection = Connection.objects.visible_to(user).get(pk=connection_id)
    try:
        answer = _stored(connection) or _refreshed(connection)
    except ConnectionUnusableError:
        _audit(connection, user, remote_addr, Outcome.REFUSED)
        raise
    _audit(connection, user, remote_addr, Outcome.GIVEN if answer else Outcome.UNAVAILABLE)
    if answer is None:
        raise TokenNotReadyError
    return answer


def _stored(connection: Connection, *, enough: timedelta = ENOUGH) -> AccessTokenAnswer | None:
    refuse_unusable(connection)
    if connection.access_token is None or connection.expires_at is None:
        return None
    if connection.expires_at < timezone.now() + enough:
        return None
    try:
        access_token = connection.access_token.reveal()
    except DecryptionError as error:
        raise ConnectionUnusableError(str(error)) from error
    return AccessTokenAnswer(
        access_token=access_token,
        expires_at=connection.expires_at,
        client_id=connection.client_id,
        hosts={region: api_url(region) for region in connection.regions},
    )


def _refreshed(connection: Connection) -> AccessTokenAnswer | None:
    """Queue a refresh and wait for it a little; what it brings serves however short its life."""
    seen = connection.refresh_count
    queue_refresh(connection, trigger=TokenRefresh.Trigger.ON_USE)
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        database.close()  # back to the pool while we wait
        time.sleep(POLL_SECONDS)
        connection.refresh_from_db()
        enough = ENOUGH if connection.refresh_count == seen else timedelta(0)
        if answer := _stored(connection, enough=enough):
            return answer
    return None


def _audit(
    connection: Connection, user: User, remote_addr: str | None, outcome: AccessTokenRequest.Outcome
) -> None:
    AccessTokenRequest.objects.create(
        connection=connection, user=user, remote_addr=remote_addr, outcome=outcome
    )
