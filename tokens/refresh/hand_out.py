"""Handing out access tokens to other services of the company."""

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final
from uuid import UUID

from django.conf import settings
from django.contrib.auth.models import User
from django.db import connection as database
from django.db.models import QuerySet

from amazon_accounts.amazon_ads.errors import AmazonError
from amazon_accounts.amazon_ads.hosts import api_url
from tokens.errors import ConnectionUnusableError
from tokens.models import AccessTokenRequest, Connection, TokenRefresh
from tokens.permissions import require
from tokens.refresh.access_tokens import read_stored_token
from tokens.refresh.tasks import queue_refresh

RETRY_AFTER_SECONDS: Final = 5
MAX_CONNECTIONS: Final = 500


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


NoToken = Connection.DoesNotExist | ConnectionUnusableError | TokenNotReadyError
Answers = dict[UUID, AccessTokenAnswer | NoToken]


def hand_out_access_token(user: User, connection_id: UUID, remote_addr: str | None) -> AccessTokenAnswer:
    """Give a valid token to a person who may use it, and record who got it.

    Raises PermissionDenied, Connection.DoesNotExist (also for a connection that the person may not see),
    ConnectionUnusableError or TokenNotReadyError.
    """
    answer = hand_out_access_tokens(user, [connection_id], remote_addr)[connection_id]
    if isinstance(answer, Exception):
        raise answer
    return answer


def hand_out_access_tokens(user: User, connection_ids: Sequence[UUID], remote_addr: str | None) -> Answers:
    """Give valid tokens of many connections to a person who may use them, and record who got them.

    Stored tokens that are fresh are given at once. For the others refreshes are queued and waited for, together for
    ACCESS_TOKEN_WAIT_SECONDS. Each connection gets its token, or the error that `hand_out_access_token` raises. Raises
    PermissionDenied.
    """
    require(user, "tokens.use_access_token")
    deadline = time.monotonic() + settings.ACCESS_TOKEN_WAIT_SECONDS
    found = list(_read(Connection.objects.visible_to(user).filter(pk__in=connection_ids)))
    answers: Answers = {}
    stale = _answer(found, answers)
    if stale:
        _wait_for_refreshes(stale, answers, deadline)
    _record(user, remote_addr, answers)
    return {each: answers.get(each) or Connection.DoesNotExist() for each in connection_ids}


def _read(connections: QuerySet[Connection]) -> QuerySet[Connection]:
    return connections.defer("refresh_token", "sync_error", "last_error")


def _answer(
    connections: Iterable[Connection], answers: Answers, *, seen: Mapping[UUID, int] | None = None
) -> list[Connection]:
    """Add the answers that can be given now; return the connections whose token must be refreshed first."""
    stale = []
    for connection in connections:
        was_refreshed = seen is not None and connection.refresh_count != seen[connection.pk]
        try:
            access_token = read_stored_token(connection).choose(was_refreshed=was_refreshed)
        except AmazonError as error:
            refusal = ConnectionUnusableError(str(error))
            refusal.__cause__ = error
            answers[connection.pk] = refusal
            continue
        if access_token is None or connection.expires_at is None:
            stale.append(connection)
            continue
        answers[connection.pk] = AccessTokenAnswer(
            access_token=access_token,
            expires_at=connection.expires_at,
            client_id=connection.client_id,
            hosts={region: api_url(region) for region in connection.regions},
        )
    return stale


def _wait_for_refreshes(stale: Sequence[Connection], answers: Answers, deadline: float) -> None:
    seen = {connection.pk: connection.refresh_count for connection in stale}
    for connection in stale:
        queue_refresh(connection, trigger=TokenRefresh.Trigger.ON_USE)
    waiting = set(seen)
    while waiting and time.monotonic() < deadline:
        # Back to the pool while we wait.
        database.close()
        time.sleep(settings.TOKEN_REFRESH_POLL_SECONDS)
        still_stale = _answer(_read(Connection.objects.filter(pk__in=waiting)), answers, seen=seen)
        waiting = {connection.pk for connection in still_stale}
    answers |= {connection_id: TokenNotReadyError() for connection_id in waiting}


def _record(user: User, remote_addr: str | None, answers: Answers) -> None:
    AccessTokenRequest.objects.bulk_create(
        AccessTokenRequest(
            connection_id=connection_id, user=user, remote_addr=remote_addr, outcome=_name_outcome(answer)
        )
        for connection_id, answer in answers.items()
    )


def _name_outcome(answer: AccessTokenAnswer | NoToken) -> AccessTokenRequest.Outcome:
    match answer:
        case AccessTokenAnswer():
            return AccessTokenRequest.Outcome.GIVEN
        case TokenNotReadyError():
            return AccessTokenRequest.Outcome.UNAVAILABLE
        case _:
            return AccessTokenRequest.Outcome.REFUSED
