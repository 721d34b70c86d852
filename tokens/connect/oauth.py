"""Connecting an Amazon login by consent in the browser: the redirect to Amazon's page, and the return from it.

A failure is an AuthorizationError, whose text is for the person at the browser.
"""

import asyncio
import base64
import hashlib
import logging
import secrets
import time
from collections.abc import Collection, Mapping
from datetime import timedelta
from enum import StrEnum
from typing import Any, Final

from django.conf import settings
from django.contrib.auth.models import AnonymousUser, User
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import QuerySet
from django.db.models.functions import Now
from django.urls import reverse
from django.utils.crypto import constant_time_compare, salted_hmac

from amazon_accounts.amazon_ads.client import AmazonClient
from amazon_accounts.amazon_ads.errors import (
    AmazonError,
    ApplicationRefusedError,
    InvalidGrantCodeError,
    PostponedError,
)
from amazon_accounts.amazon_ads.hosts import Region
from amazon_accounts.amazon_ads.lwa import build_authorize_url
from amazon_accounts.postgresql.clock import database_now
from amazon_accounts.postgresql.threads import in_thread
from amazon_accounts.web.links import build_link
from tokens.connect import grants
from tokens.connect.grants import AuthorizationError, Connected, Consent
from tokens.connect.identity import ask_identity
from tokens.connect.scopes import is_identity, split_scopes
from tokens.locking import lock_connection
from tokens.models import AuditEntry, AuthorizationAttempt, Connection, Team
from tokens.people.audit import Action, AuditedObject, record_audit
from tokens.people.teams import choose_team
from tokens.permissions import require

logger = logging.getLogger(__name__)

ATTEMPT_LIFE: Final = timedelta(minutes=10)
# Longer than the exchange with Amazon takes.
MAX_EXCHANGE_TIME: Final = timedelta(seconds=30)
VERIFIER_PURPOSE: Final = "tokens.oauth.code_verifier"


class Reason(StrEnum):
    """Why Amazon did not let us in, for pages that say it in words of their own."""

    CANCELLED = "cancelled"
    NOT_ALLOWED = "not_allowed"
    OUR_FAULT = "our_fault"
    TRY_AGAIN = "try_again"


class AttemptError(AuthorizationError):
    """This answer of Amazon cannot be used. Nothing was changed."""


class UnknownAttemptError(AttemptError):
    """Amazon's answer belongs to no sign-in that you started here in the last 10 minutes. Nothing was connected."""


class OtherBrowserError(AttemptError):
    """This sign-in was started in another browser, or before you logged in again. Nothing was connected."""


class ExpiredAttemptError(AttemptError):
    """This sign-in is older than 10 minutes. Nothing was connected."""


class InterruptedAttemptError(AttemptError):
    """This sign-in was interrupted before it was complete. Nothing was connected."""


class AttemptUnderWayError(AttemptError):
    """Amazon's answer has arrived and is being worked on."""


class HiddenConnectionError(AttemptError):
    """You may no longer see the connection that you wanted to reconnect. Nothing was changed."""


class RefusedAtAmazonError(AuthorizationError):
    """Amazon did not let us in. Nothing was connected."""

    def __init__(self, message: str = "", reason: Reason = Reason.TRY_AGAIN) -> None:
        super().__init__(message)
        self.reason = reason


# The errors that Amazon's page may return instead of a code.
# https://developer.amazon.com/docs/login-with-amazon/authorization-code-grant.html
CANCELLED: Final = "access_denied"
REFUSALS: Final[Mapping[str, str]] = {
    CANCELLED: "You cancelled at Amazon. Nothing was connected.",
    "invalid_request": "Amazon could not read our request (invalid_request). This is a bug in our application; nothing "
    "was connected. Tell an administrator.",
    "unsupported_response_type": "Amazon could not read our request (unsupported_response_type). This is a bug in "
    "our application; nothing was connected. Tell an administrator.",
    "unauthorized_client": "Amazon does not let our application sign people in (unauthorized_client). Nothing was "
    "connected. An administrator has to check the application at Login with Amazon.",
    "invalid_scope": "Amazon has not approved our application for what it asks (invalid_scope). Nothing was "
    "connected. An administrator has to check AMAZON_SCOPES and the approval for the Amazon Ads API.",
    "server_error": "Amazon had a fault of its own. Nothing was connected. Try again in a minute.",
    "temporarily_unavailable": "Amazon is not available just now. Nothing was connected. Try again in a minute.",
}
OUR_FAULTS: Final = {"invalid_request", "unsupported_response_type", "unauthorized_client", "invalid_scope"}


def begin(
    user: User,
    session_key: str,
    *,
    region: str = Region.NA,
    regions: Collection[str] = (),
    label: str = "",
    team: Team | None = None,
    connection: Connection | None = None,
) -> str:
    """Start an attempt for this user and session; return the address of Amazon's consent page.

    Without `team`, a new connection belongs to the only team of the person. Raises PermissionDenied and
    TeamNotChosenError.
    """
    if connection is None and team is None:
        team = choose_team(user)
    require(user, "tokens.connect_amazon", connection or team)
    return start_attempt(
        session_key,
        user=user,
        connection=connection,
        team=team,
        region=region,
        regions=list(regions),
        label=label,
    )


def start_attempt(session_key: str, *, region: str, **fields: Any) -> str:
    """Store an attempt that belongs to the browser with this key; return the address of Amazon's consent page."""
    state = secrets.token_urlsafe(32)
    AuthorizationAttempt.objects.create(
        state_digest=digest(state), session_digest=digest(session_key), region=region, **fields
    )
    verifier = _code_verifier(state)
    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
    return build_authorize_url(
        region=region, state=state, redirect_uri=redirect_uri(), code_challenge=challenge
    )


def redirect_uri() -> str:
    return build_link(reverse("connect-amazon-callback"))


def digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def _code_verifier(state: str) -> str:
    # The PKCE verifier is derived from the state, so it need not be stored.
    derived = salted_hmac(VERIFIER_PURPOSE, state, algorithm="sha256").digest()
    return base64.urlsafe_b64encode(derived).rstrip(b"=").decode()


async def complete_authorization(
    user: User, session_key: str, answer: Mapping[str, str], amazon: AmazonClient
) -> Connected:
    """Connect the login with `answer`, the query parameters of the redirect from Amazon's page.

    An attempt works once. If its answer comes again, the person is told what came of it, and nothing is done.
    Raises AuthorizationError or PermissionDenied; then no connection is changed.
    """
    await in_thread(require)(user, "tokens.connect_amazon")
    state = answer.get("state", "")
    attempts = AuthorizationAttempt.objects.filter(user=user, link=None)
    attempt, is_first = await in_thread(take_attempt)(attempts, session_key, state)
    if not is_first:
        return await in_thread(_tell_again)(user, attempt)
    try:
        consent = await exchange(user, attempt, state, answer, amazon)
        return await in_thread(_store)(user, attempt, consent)
    except (AuthorizationError, PermissionDenied) as error:
        refusal = (
            str(error) if isinstance(error, AuthorizationError) else "You may not connect a login any more."
        )
        await in_thread(_record_refusal)(user, attempt, refusal, error)
        raise


async def exchange(
    owner: User, attempt: AuthorizationAttempt, state: str, answer: Mapping[str, str], amazon: AmazonClient
) -> Consent:
    """Turn the code in Amazon's answer into a grant for this owner. Raises RefusedAtAmazonError."""
    if "error" in answer:
        raise _refusal(answer["error"])
    _require_scopes(answer.get("scope"))
    code = answer.get("code", "")
    if not code:
        raise RefusedAtAmazonError("Amazon sent no code. Nothing was connected. Start again.")
    began_at = time.monotonic()
    try:
        async with asyncio.timeout(settings.OAUTH_CALLBACK_SECONDS):
            grant = await amazon.lwa.exchange_code(
                code, redirect_uri=redirect_uri(), code_verifier=_code_verifier(state)
            )
    except TimeoutError as error:
        raise RefusedAtAmazonError(
            f"Amazon did not answer within {settings.OAUTH_CALLBACK_SECONDS:g} seconds. Nothing was connected. Try again."
        ) from error
    except (AmazonError, PostponedError) as error:
        raise explain(error) from error
    if grant.refresh_token is None:
        raise RefusedAtAmazonError(
            "Amazon gave no lasting access. Nothing was connected. Start again.", Reason.NOT_ALLOWED
        )
    # The code is used up, so the grant is kept even if Amazon does not tell in time whose it is.
    received_at = time.monotonic()
    seconds_left = max(settings.OAUTH_CALLBACK_SECONDS - (received_at - began_at), 0.0)
    identity = await ask_identity(grant, amazon, scope=answer.get("scope"), max_seconds=seconds_left)
    return Consent(
        team=await in_thread(_find_team)(owner, attempt),
        owner=owner,
        grant=grant,
        identity=identity,
        received_at=received_at,
        consented_at=await in_thread(database_now)(),
        label=attempt.label,
        regions=attempt.regions,
    )


def _find_team(owner: User, attempt: AuthorizationAttempt) -> Team:
    if attempt.connection is not None:
        return attempt.connection.team
    # An attempt without a team was begun by an older version.
    return attempt.team or choose_team(owner)


@transaction.atomic
def _store(user: User, attempt: AuthorizationAttempt, consent: Consent) -> Connected:
    # The permission, or the right to see the connection, may have been taken away while Amazon answered.
    # Locked, so that nobody is erased between the check and the new connection.
    people = User.objects.select_for_update(no_key=True)
    person = people.filter(pk=user.pk).first() or AnonymousUser()
    if attempt.connection_id is None:
        require(person, "tokens.connect_amazon", consent.team)
        connected = grants.connect(consent)
    else:
        known = Connection.objects.visible_to(person).filter(pk=attempt.connection_id).first()
        if known is None:
            raise HiddenConnectionError
        lock_connection(person, "tokens.connect_amazon", known.pk)
        connected = grants.reconnect(known.pk, consent)
    AuthorizationAttempt.objects.filter(pk=attempt.pk).update(connected=connected.connection)
    grants.record_connected(user, connected, "consent")
    return connected


@transaction.atomic
def _record_refusal(user: User, attempt: AuthorizationAttempt, refusal: str, error: Exception) -> None:
    AuthorizationAttempt.objects.filter(pk=attempt.pk).update(refusal=refusal)
    asked = attempt.connection
    record_audit(
        user,
        Action.CONNECTION_RECONNECT if asked else Action.CONNECTION_CONNECT,
        asked or AuditedObject("connection"),
        # Not the text, which may name an Amazon login.
        after={"reason": type(error).__name__},
        outcome=AuditEntry.Outcome.REFUSED,
    )


def take_attempt(
    attempts: QuerySet[AuthorizationAttempt], session_key: str, state: str
) -> tuple[AuthorizationAttempt, bool]:
    """Return the attempt with this state, and whether this is the first answer for it.

    An answer that does not fit leaves the attempt as it is. Raises AttemptError.
    """
    session_digest = digest(session_key)
    attempts = attempts.filter(state_digest=digest(state))
    # One UPDATE decides which of two answers at once is the first.
    waiting = attempts.filter(
        session_digest=session_digest, used_at=None, created_at__gt=Now() - ATTEMPT_LIFE
    )
    is_first = waiting.update(used_at=Now()) == 1
    attempt = attempts.select_related("connected", "team", "connection__team").first()
    if attempt is None:
        raise UnknownAttemptError
    if attempt.used_at is None:
        is_other = not constant_time_compare(attempt.session_digest, session_digest)
        raise OtherBrowserError if is_other else ExpiredAttemptError
    return attempt, is_first


def find_outcome(attempt: AuthorizationAttempt) -> Connection:
    """Return what an attempt connected whose answer has come before. Raises AuthorizationError if it was nothing."""
    if attempt.refusal:
        raise RefusedAtAmazonError(attempt.refusal)
    if attempt.connected is None:
        late = AuthorizationAttempt.objects.filter(pk=attempt.pk, used_at__lt=Now() - MAX_EXCHANGE_TIME)
        raise InterruptedAttemptError if late.exists() else AttemptUnderWayError
    return attempt.connected


def _tell_again(user: User, attempt: AuthorizationAttempt) -> Connected:
    connected = find_outcome(attempt)
    if not Connection.objects.visible_to(user).filter(pk=connected.pk).exists():
        raise UnknownAttemptError
    logger.info("Amazon's answer for connection %s came again; nothing was changed.", connected.pk)
    return Connected(connected, is_new=False, is_repeat=True)


def _refusal(error: str) -> RefusedAtAmazonError:
    if error in OUR_FAULTS:
        logger.error("Amazon's consent page refused our application or request: %s.", error)
        reason = Reason.OUR_FAULT
    else:
        reason = Reason.CANCELLED if error == CANCELLED else Reason.TRY_AGAIN
    return RefusedAtAmazonError(
        REFUSALS.get(error, "Amazon refused, for a reason we do not know. Nothing was connected. Try again."),
        reason,
    )


def explain(error: AmazonError | PostponedError) -> RefusedAtAmazonError:
    """Return what to tell a person about a failed call to Amazon."""
    if isinstance(error, InvalidGrantCodeError):
        return RefusedAtAmazonError(
            "Amazon's code was used before or is older than 5 minutes. Nothing was connected. Start again."
        )
    if isinstance(error, ApplicationRefusedError):
        return RefusedAtAmazonError(
            f"Our own application was refused by Amazon ({error.code or error.status}). Nothing was connected. "
            "An administrator has to check the client id and secret.",
            Reason.OUR_FAULT,
        )
    if isinstance(error, PostponedError):
        return RefusedAtAmazonError(
            f"Amazon is busy. Nothing was connected. Try again after {error.until:%H:%M} UTC."
        )
    return RefusedAtAmazonError(f"{error} Nothing was connected. Try again.")


def _require_scopes(granted: str | None) -> None:
    if not granted:
        # Amazon does not always say what the person granted.
        return
    needed = {scope for scope in split_scopes(settings.AMAZON_SCOPES) if not is_identity(scope)}
    if missing := needed - split_scopes(granted):
        raise RefusedAtAmazonError(
            f"Access to the ad accounts was not allowed ({', '.join(sorted(missing))}). Nothing was connected. "
            "Start again and allow it.",
            Reason.NOT_ALLOWED,
        )
