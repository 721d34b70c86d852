"""What a refresh leaves behind: each function records one outcome, if the claim still holds.

A claim holds while its lease is not taken by another and the grant is the one that was read. Otherwise the
connection stays as it is and the refresh is closed as superseded.
"""

import time
from uuid import UUID

from django.db import connection as database
from django.db import transaction
from django.db.models import Exists, F, OuterRef
from django.db.models.functions import Greatest, Now

from amazon_accounts.amazon_ads.errors import AmazonError, GrantRevokedError, PostponedError
from amazon_accounts.amazon_ads.lwa import Grant
from tokens.connect.disconnect import mark_refused
from tokens.encryption import Secret
from tokens.models import Connection, ConnectionQuerySet, TokenRefresh
from tokens.refresh.lease import Claim
from tokens.refresh.schedule import refresh_in, retry_in

Outcome = TokenRefresh.Outcome

SUCCESS = """
WITH mine AS (
    UPDATE tokens_connection
    SET access_token = %(access_token)s, refresh_token = coalesce(%(refresh_token)s, refresh_token),
        expires_at = clock_timestamp() + make_interval(secs => %(life)s),
        next_refresh_at = clock_timestamp() + make_interval(secs => %(due_in)s),
        lease_id = NULL, refresh_count = refresh_count + 1, last_refreshed_at = clock_timestamp(),
        grant_refusals = 0, last_error = '', last_error_at = NULL
    WHERE id = %(connection_id)s AND lease_id = %(refresh_id)s AND grant_version = %(grant_version)s
    RETURNING expires_at
), closed AS (
    UPDATE tokens_tokenrefresh
    SET outcome = CASE WHEN EXISTS (SELECT FROM mine) THEN 'succeeded' ELSE 'superseded' END,
        finished_at = greatest(clock_timestamp(), started_at), tries = %(tries)s, left_fresh = true,
        request_id = %(request_id)s, new_expires_at = (SELECT expires_at FROM mine)
    WHERE id = %(refresh_id)s AND outcome IS NULL
)
SELECT EXISTS (SELECT FROM mine)
"""


def record_success(claim: Claim, grant: Grant, *, sent_at: float, tries: int) -> Outcome:
    """Store the new token; its life counts from the moment it was asked for, by the monotonic clock."""
    parameters = {
        "access_token": Secret.seal(grant.access_token).ciphertext,
        "refresh_token": Secret.seal(grant.refresh_token).ciphertext if grant.refresh_token else None,
        "connection_id": claim.connection_id,
        "refresh_id": claim.refresh_id,
        "grant_version": claim.grant_version,
        "tries": tries,
        "request_id": grant.request_id,
    }
    with database.cursor() as cursor:
        # Only now, because the database may have let us wait.
        life = max(grant.expires_in - (time.monotonic() - sent_at), 0.0)
        cursor.execute(SUCCESS, {**parameters, "life": life, "due_in": refresh_in(life).total_seconds()})
        row = cursor.fetchone()
    if row is not None and row[0]:
        return Outcome.SUCCEEDED
    _keep_rotated_refresh_token(claim, grant)
    return Outcome.SUPERSEDED


def _keep_rotated_refresh_token(claim: Claim, grant: Grant) -> None:
    """Keep a refresh token that replaced the one we used, though the lease ran out: it may be the only good one."""
    if grant.refresh_token is None or grant.refresh_token == claim.refresh_token.reveal():
        return
    Connection.objects.active().filter(
        pk=claim.connection_id,
        grant_version=claim.grant_version,
        refresh_token=claim.refresh_token,
    ).update(refresh_token=grant.refresh_token, grant_refusals=0)


def note_refusal(claim: Claim, refused: str, refusals: int) -> Secret | None:
    """Record so many refusals in a row of this refresh token; return the one that is stored now.

    The refusal of a token that was replaced says nothing about the new one, whose count begins at none. None when
    the claim no longer holds. Recorded twice, it is the same.
    """
    with transaction.atomic():
        stored = _held(claim).select_for_update().values_list("refresh_token", flat=True).first()
        if stored is None:
            return None
        _held(claim).update(grant_refusals=refusals if stored.reveal() == refused else 0)
    return stored


def stored_refresh_token(claim: Claim) -> Secret | None:
    """Read the refresh token again; None when the claim no longer holds."""
    return _held(claim).values_list("refresh_token", flat=True).first()


def record_revoked(claim: Claim, error: GrantRevokedError, *, tries: int) -> Outcome:
    """Mark the connection as refused by Amazon: no call is made for it until its owner reconnects."""
    with transaction.atomic():
        mine = mark_refused(_held(claim), claim.connection_id, str(error))
        outcome = Outcome.REAUTHORIZATION_REQUIRED if mine else Outcome.SUPERSEDED
        _close(claim.refresh_id, outcome, error, tries)
    return outcome


def record_failure(claim: Claim, error: AmazonError | PostponedError, *, tries: int) -> Outcome:
    """Let the connection be tried again. Only what is about this connection is held against it."""
    outcome = Outcome(error.kind) if error.kind != "forbidden" else Outcome.PERMANENT
    changes: dict[str, object] = {"lease_id": None, "next_refresh_at": Now() + retry_in()}
    if outcome in {Outcome.TRANSIENT, Outcome.PERMANENT}:
        changes |= {"last_error": str(error), "last_error_at": Now()}
    with transaction.atomic():
        if not _held(claim).update(**changes):
            outcome = Outcome.SUPERSEDED
        _close(claim.refresh_id, outcome, error, tries)
    return outcome


def _held(claim: Claim) -> ConnectionQuerySet:
    return Connection.objects.filter(
        pk=claim.connection_id, lease_id=claim.refresh_id, grant_version=claim.grant_version
    )


def _close(refresh_id: UUID, outcome: Outcome, error: Exception, tries: int) -> None:
    TokenRefresh.objects.filter(pk=refresh_id, outcome=None).update(
        outcome=outcome,
        left_fresh=Exists(
            Connection.objects.filter(
                pk=OuterRef("connection"), access_token__isnull=False, expires_at__gt=Now()
            )
        ),
        finished_at=Greatest(Now(), F("started_at")),
        tries=tries,
        error=str(error),
        error_code=getattr(error, "code", ""),
        request_id=getattr(error, "request_id", ""),
    )


def close_as_superseded(claim: Claim, *, tries: int) -> Outcome:
    """The grant changed while we asked: nothing to record but that."""
    TokenRefresh.objects.filter(pk=claim.refresh_id, outcome=None).update(
        outcome=Outcome.SUPERSEDED, finished_at=Greatest(Now(), F("started_at")), tries=tries
    )
    return Outcome.SUPERSEDED
