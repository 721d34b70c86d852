"""What a refresh leaves behind: each function records one outcome, if the lease is still held.

A lease is held until another process takes it or the grant is replaced. After that the connection stays as it is,
and the refresh is closed as superseded. The process that took the lease may have closed it as lost already: then it
gets only the number of its calls.
"""

import logging
import time

from django.db import InterfaceError, OperationalError, transaction
from django.db import connection as database
from django.db.models import Exists, F, OuterRef
from django.db.models.functions import Greatest, Now

from amazon_accounts.amazon_ads.errors import AmazonError, GrantRevokedError, PostponedError
from amazon_accounts.amazon_ads.lwa import Grant
from amazon_accounts.postgresql.statements import load
from tokens.encryption import DecryptionError, Secret, context_of, seal
from tokens.models import Connection, ConnectionQuerySet, TokenRefresh
from tokens.refresh.delays import choose_refresh_delay, choose_retry_delay
from tokens.refresh.lease import Lease
from tokens.refresh.revoked import heal, mark_revoked_in
from tokens.signals import login_unidentified

logger = logging.getLogger(__name__)

Outcome = TokenRefresh.Outcome


def record_success(lease: Lease, grant: Grant, *, sent_at: float, tries: int) -> Outcome:
    """Store the new token. Its life counts from `sent_at`, a reading of the monotonic clock."""
    parameters = {
        "access_token": _seal(lease, "access_token", grant.access_token),
        "refresh_token": _seal(lease, "refresh_token", grant.refresh_token) if grant.refresh_token else None,
        "connection_id": lease.connection_id,
        "refresh_id": lease.refresh_id,
        "grant_version": lease.grant_version,
        "tries": tries,
        "request_id": grant.request_id,
    }
    with database.cursor() as cursor:
        # Computed here, because opening the cursor may have waited for the database.
        life = max(grant.expires_in - (time.monotonic() - sent_at), 0.0)
        due_in = choose_refresh_delay(life).total_seconds()
        cursor.execute(load(__file__, "record_success"), {**parameters, "life": life, "due_in": due_in})
        is_stored, is_identity_pending = cursor.fetchone()
    if is_identity_pending:
        _announce_unidentified(lease)
    if is_stored:
        return Outcome.SUCCEEDED
    _keep_rotated_refresh_token(lease, grant, life)
    return Outcome.SUPERSEDED


def _announce_unidentified(lease: Lease) -> None:
    # The token is stored. An outage of the database must not make the caller record it again.
    try:
        login_unidentified.send(sender=Connection, connection_id=lease.connection_id)
    except (OperationalError, InterfaceError):
        logger.warning("Connection %s is identified after a later refresh.", lease.connection_id)


def _keep_rotated_refresh_token(lease: Lease, grant: Grant, life: float) -> None:
    # The lease ran out, but the refresh token that replaced ours may be the only one that Amazon still accepts.
    # A process that was frozen meanwhile may find that other processes were refused and marked the connection.
    used = lease.refresh_token.reveal()
    if grant.refresh_token is None or grant.refresh_token == used:
        return
    same_grant = Connection.objects.filter(pk=lease.connection_id, grant_version=lease.grant_version)
    if _replace_refresh_token(same_grant, used, grant, life):
        return
    # Two connections of one login may have become one meanwhile. The other one goes on with this grant.
    ended = same_grant.filter(state=Connection.State.DISCONNECTED).first()
    if ended is None:
        return
    others = Connection.objects.filter(
        team=ended.team_id, client_id=ended.client_id, consented_at=ended.consented_at
    )
    for other_id in others.exclude(pk=ended.pk).values_list("pk", flat=True):
        if _replace_refresh_token(Connection.objects.filter(pk=other_id), used, grant, life):
            return


@transaction.atomic
def _replace_refresh_token(connections: ConnectionQuerySet, used: str, grant: Grant, life: float) -> bool:
    """Store a rotated refresh token in the place of the used one, and heal the connection if it is broken."""
    connection = connections.select_for_update().first()
    # A disconnected connection has no token.
    if connection is None or connection.refresh_token is None:
        return False
    try:
        # The plain text is compared, because a rotation of the keys may have sealed it again.
        if connection.refresh_token.reveal() != used:
            return False
    except DecryptionError:
        return False
    if connection.is_broken:
        heal(connection, grant, life)
    else:
        connection.refresh_token = grant.refresh_token
        connection.grant_refusals = 0
        connection.save(update_fields=["refresh_token", "grant_refusals"])
    return True


def _seal(lease: Lease, column: str, token: str) -> str:
    return seal(token, context_of(Connection, column, lease.connection_id))


def record_refusal(lease: Lease, refused: str, refusals: int) -> Secret | None:
    """Record that Amazon has refused the refresh token `refused` in `refusals` calls in a row.

    Return the refresh token that is stored now, or None when the lease is lost. If another token is stored,
    0 is recorded. Recording the same refusal twice changes nothing.
    """
    with transaction.atomic():
        stored = _read_refresh_token(_leased(lease).select_for_update())
        if stored is None:
            return None
        _leased(lease).update(grant_refusals=refusals if stored.reveal() == refused else 0)
    return stored


def read_refresh_token(lease: Lease) -> Secret | None:
    # None when the lease is lost.
    return _read_refresh_token(_leased(lease))


def _read_refresh_token(connections: ConnectionQuerySet) -> Secret | None:
    connection = connections.only("refresh_token").first()
    return connection.refresh_token if connection else None


def record_revoked(lease: Lease, error: GrantRevokedError, *, tries: int) -> Outcome:
    with transaction.atomic():
        is_marked = mark_revoked_in(_leased(lease), lease.connection_id, str(error))
        outcome = Outcome.REAUTHORIZATION_REQUIRED if is_marked else Outcome.SUPERSEDED
        _close(lease, outcome, error, tries)
    return outcome


def record_failure(lease: Lease, error: AmazonError | PostponedError, *, tries: int) -> Outcome:
    outcome = Outcome(error.kind) if error.kind != "forbidden" else Outcome.PERMANENT
    changes: dict[str, object] = {"lease_id": None, "next_refresh_at": Now() + choose_retry_delay()}
    # The other outcomes concern every connection, so they are no error of this one.
    if outcome in {Outcome.TRANSIENT, Outcome.PERMANENT}:
        changes |= {"last_error": str(error), "last_error_at": Now()}
    with transaction.atomic():
        if not _leased(lease).update(**changes):
            outcome = Outcome.SUPERSEDED
        _close(lease, outcome, error, tries)
    return outcome


def close_as_superseded(lease: Lease, *, tries: int) -> Outcome:
    _update_refresh(lease, outcome=Outcome.SUPERSEDED, tries=tries)
    return Outcome.SUPERSEDED


def note_calls(lease: Lease, *, tries: int) -> None:
    TokenRefresh.objects.filter(pk=lease.refresh_id).update(tries=tries)


def _leased(lease: Lease) -> ConnectionQuerySet:
    return Connection.objects.filter(
        pk=lease.connection_id, lease_id=lease.refresh_id, grant_version=lease.grant_version
    )


def _close(lease: Lease, outcome: Outcome, error: AmazonError | PostponedError, tries: int) -> None:
    has_valid_token = Connection.objects.filter(
        pk=OuterRef("connection"), access_token__isnull=False, expires_at__gt=Now()
    )
    _update_refresh(
        lease,
        outcome=outcome,
        tries=tries,
        token_valid_after=Exists(has_valid_token),
        error=str(error),
        error_code=getattr(error, "code", ""),
        request_id=getattr(error, "request_id", ""),
    )


def _update_refresh(lease: Lease, *, outcome: Outcome, tries: int, **changes: object) -> None:
    refresh = TokenRefresh.objects.filter(pk=lease.refresh_id)
    is_closed = refresh.filter(outcome=None).update(
        outcome=outcome, finished_at=Greatest(Now(), F("started_at")), tries=tries, **changes
    )
    if not is_closed:
        # A process that was frozen may call Amazon after its lease was taken.
        note_calls(lease, tries=tries)
