"""Handing out access tokens to other services of the company."""

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final
from uuid import UUID

from django.conf import settings
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.db import connection as database
from django.db.models import QuerySet

from amazon_accounts.amazon_ads.errors import AmazonError
from amazon_accounts.amazon_ads.hosts import api_url
from tokens.errors import ConnectionUnusableError
from tokens.models import AuditEntry, Connection, TokenRefresh
from tokens.people.audit import Action, AuditedObject, record_many
from tokens.people.keys import read_again
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


def hand_out_access_token(user: User, connection_id: UUID) -> AccessTokenAnswer:
    """Give a valid token to a person who may use it. The audit trail has who got one, and who was refused.

    Raises PermissionDenied, Connection.DoesNotExist (also for a connection that the person may not see),
    ConnectionUnusableError or TokenNotReadyError.
    """
    answer = hand_out_access_tokens(user, [connection_id])[connection_id]
    if isinstance(answer, Connection.DoesNotExist):
        # Raises that again for a connection that the person does not see.
        require(user, "tokens.use_access_token", Connection.objects.visible_to(user).get(pk=connection_id))
    if isinstance(answer, Exception):
        raise answer
    return answer


def hand_out_access_tokens(user: User, connection_ids: Sequence[UUID]) -> Answers:
    """Give valid tokens of many connections to a person who may use them. Each is in the audit trail.

    Stored tokens that are fresh are given at once. For the others refreshes are queued and waited for, together for
    ACCESS_TOKEN_WAIT_SECONDS. Each connection gets its token, or an error; one whose tokens the person may not use
    counts as not there. Raises PermissionDenied.
    """
    try:
        require(user, "tokens.use_access_token")
    except PermissionDenied as error:
        record_refusal(user, connection_ids, error)
        raise
    deadline = time.monotonic() + settings.ACCESS_TOKEN_WAIT_SECONDS
    # A key that only hands out tokens sees no connection.
    permitted = Connection.objects.allowing(user, "tokens.use_access_token")
    found = list(_read(permitted.filter(pk__in=connection_ids)))
    answers: Answers = {}
    stale = _answer(found, answers)
    if stale:
        _wait_for_refreshes(stale, answers, deadline)
        for each in {connection.pk for connection in stale} - _find_still_permitted(user, stale):
            answers[each] = Connection.DoesNotExist()
    # A connection that the person may not see does not exist for them.
    all_answers = {each: answers.get(each) or Connection.DoesNotExist() for each in connection_ids}
    _record(user, all_answers, {connection.pk: connection for connection in found})
    return all_answers


def _find_still_permitted(user: User, connections: Sequence[Connection]) -> set[UUID]:
    """Return the ids of the connections whose tokens the person may use at this moment."""
    # The key may have been revoked, the role taken and the connection moved while Amazon was asked.
    asker = read_again(user)
    if asker is None:
        return set()
    permitted = Connection.objects.allowing(asker, "tokens.use_access_token")
    return set(
        permitted.filter(pk__in=[connection.pk for connection in connections]).values_list("pk", flat=True)
    )


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


def record_refusal(user: User, connection_ids: Iterable[UUID], error: Exception) -> None:
    """Record that somebody asked who may not have tokens. An interface calls it that refuses by itself."""
    ids = list(connection_ids)
    # The administrators of a team read who asked for its connections in vain.
    known = Connection.objects.only("team_id").in_bulk(ids)
    asked = [
        AuditedObject.of(known[each]) if each in known else AuditedObject("connection", str(each))
        for each in ids
    ]
    _write(user, asked or [AuditedObject("connection")], error)


def _record(user: User, answers: Answers, found: Mapping[UUID, Connection]) -> None:
    for kind in {type(answer) for answer in answers.values()}:
        ids = [each for each, answer in answers.items() if type(answer) is kind]
        asked = [
            AuditedObject.of(found[each]) if each in found else AuditedObject("connection", str(each))
            for each in ids
        ]
        _write(user, asked, answers[ids[0]])


def _write(user: User, asked: Iterable[AuditedObject], answer: AccessTokenAnswer | Exception) -> None:
    match answer:
        case AccessTokenAnswer():
            outcome = AuditEntry.Outcome.DONE
        case TokenNotReadyError():
            outcome = AuditEntry.Outcome.FAILED
        case _:
            outcome = AuditEntry.Outcome.REFUSED
    # Not the text of an error, which may have words of Amazon in it.
    reason = {"reason": type(answer).__name__} if isinstance(answer, Exception) else None
    record_many(user, Action.ACCESS_TOKEN_HAND_OUT, asked, after=reason, outcome=outcome)
