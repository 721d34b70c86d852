"""How a login comes to be connected: by consent in the browser, or by a refresh token that somebody has.

    begin()     the way to Amazon's consent page
    complete()  the return from it
    connect_with_refresh_token()

What may go wrong on the way is an AuthorizationError, whose text is for the person at the browser.
"""

import asyncio
import base64
import hashlib
import logging
import secrets
import time
from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from django.conf import settings
from django.contrib.auth.models import User
from django.db import transaction
from django.urls import reverse
from django.utils import timezone
from django.utils.crypto import constant_time_compare, salted_hmac
from uuid_utils.compat import uuid7

from amazon_accounts.amazon_ads.client import AmazonClient
from amazon_accounts.amazon_ads.errors import (
    AmazonError,
    ApplicationRefusedError,
    ForbiddenError,
    InvalidGrantCodeError,
    PermanentError,
    PostponedError,
)
from amazon_accounts.amazon_ads.hosts import Region
from amazon_accounts.amazon_ads.lwa import Grant, build_authorize_url
from amazon_accounts.amazon_ads.pacing.pace import MAX_WAIT_SECONDS
from amazon_accounts.amazon_ads.pacing.slots import CallStats
from amazon_accounts.postgresql.threads import in_thread
from tokens.connect import grants
from tokens.connect.grants import AuthorizationError, Connected, Consent, Identity, Proof
from tokens.connect.scopes import is_identity, scopes_in, tell_identity
from tokens.models import AuthorizationAttempt, Connection
from tokens.permissions import require

logger = logging.getLogger(__name__)

ATTEMPT_LIFE: Final = timedelta(minutes=10)
AMAZON_SECONDS: Final = 10.0
VERIFIER_PURPOSE: Final = "tokens.oauth.code_verifier"


class UnknownAttemptError(AuthorizationError):
    """This sign-in was not begun in this browser, was used before, or is older than 10 minutes. Nothing was connected."""


class RefusedAtAmazonError(AuthorizationError):
    """Amazon did not let us in. Nothing was connected."""


# What Amazon's page may answer instead of a code.
# https://developer.amazon.com/docs/login-with-amazon/authorization-code-grant.html
REFUSALS: Final[Mapping[str, str]] = {
    "access_denied": "You cancelled at Amazon. Nothing was connected.",
    "invalid_request": "Amazon could not read our request (invalid_request). That is a defect of ours; nothing was "
    "connected. Tell an administrator.",
    "unsupported_response_type": "Amazon could not read our request (unsupported_response_type). That is a defect "
    "of ours; nothing was connected. Tell an administrator.",
    "unauthorized_client": "Amazon does not let our application sign people in (unauthorized_client). Nothing was "
    "connected. An administrator has to check the application at Login with Amazon.",
    "invalid_scope": "Amazon has not approved our application for what it asks (invalid_scope). Nothing was "
    "connected. An administrator has to check AMAZON_SCOPES and the approval for the Amazon Ads API.",
    "server_error": "Amazon had a fault of its own. Nothing was connected. Try again in a minute.",
    "temporarily_unavailable": "Amazon is not available just now. Nothing was connected. Try again in a minute.",
}
OUR_FAULTS: Final = {"invalid_request", "unsupported_response_type", "unauthorized_client", "invalid_scope"}


# --- To Amazon --------------------------------------------------------------------------------------------


def begin(
    user: User,
    session_key: str,
    *,
    region: str = Region.NA,
    regions: Collection[str] = (),
    label: str = "",
    connection: Connection | None = None,
) -> str:
    """Open an attempt, bound to this user and session; return the address of Amazon's consent page.

    Raises PermissionDenied.
    """
    require(user, "tokens.connect_amazon")
    state = secrets.token_urlsafe(32)
    AuthorizationAttempt.objects.create(
        state_digest=_digest(state),
        session_digest=_digest(session_key),
        user=user,
        connection=connection,
        region=region,
        regions=list(regions),
        label=label,
    )
    verifier = _code_verifier(state)
    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
    return build_authorize_url(
        region=region, state=state, redirect_uri=redirect_uri(), code_challenge=challenge
    )


def redirect_uri() -> str:
    return settings.PUBLIC_URL + reverse("connect-amazon-callback")


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def _code_verifier(state: str) -> str:
    """Derive the PKCE verifier, so that it is stored nowhere."""
    derived = salted_hmac(VERIFIER_PURPOSE, state, algorithm="sha256").digest()
    return base64.urlsafe_b64encode(derived).rstrip(b"=").decode()


# --- And back ---------------------------------------------------------------------------------------------


async def complete(
    user: User, session_key: str, answer: Mapping[str, str], amazon: AmazonClient
) -> Connected:
    """Take what Amazon's page sent back with the browser, and connect the login.

    Raises AuthorizationError or PermissionDenied; then the attempt cannot be used again and nothing is changed.
    """
    state = answer.get("state", "")
    attempt = await in_thread(_take_attempt)(user, session_key, state)
    await in_thread(require)(user, "tokens.connect_amazon")
    if "error" in answer:
        raise _refusal(answer["error"])
    _require_scopes(answer.get("scope"))
    code = answer.get("code", "")
    if not code:
        raise RefusedAtAmazonError("Amazon sent no code. Nothing was connected. Start again.")
    try:
        async with asyncio.timeout(AMAZON_SECONDS):
            grant = await amazon.lwa.exchange_code(
                code, redirect_uri=redirect_uri(), code_verifier=_code_verifier(state)
            )
            received_at = time.monotonic()
            identity = await _identity(grant, amazon, scope=answer.get("scope"))
    except TimeoutError as error:
        raise RefusedAtAmazonError(
            "Amazon did not answer within 10 seconds. Nothing was connected. Try again."
        ) from error
    except (AmazonError, PostponedError) as error:
        raise _explained(error) from error
    if grant.refresh_token is None:
        raise RefusedAtAmazonError("Amazon gave no lasting access. Nothing was connected. Start again.")
    consent = Consent(
        owner=user,
        grant=grant,
        identity=identity,
        received_at=received_at,
        consented_at=timezone.now(),
        label=attempt.label,
        regions=attempt.regions,
    )
    if attempt.connection_id is not None:
        return await in_thread(grants.reconnect)(attempt.connection_id, consent)
    return await in_thread(grants.connect)(consent)


def _take_attempt(user: User, session_key: str, state: str) -> AuthorizationAttempt:
    """Use up the attempt of this state: whoever comes second finds none."""
    with transaction.atomic():
        attempt = AuthorizationAttempt.objects.select_for_update().filter(state_digest=_digest(state)).first()
        if attempt is None:
            raise UnknownAttemptError
        attempt.delete()
    if (
        attempt.user_id != user.pk
        or not constant_time_compare(attempt.session_digest, _digest(session_key))
        or attempt.created_at < timezone.now() - ATTEMPT_LIFE
    ):
        raise UnknownAttemptError
    return attempt


def _refusal(error: str) -> RefusedAtAmazonError:
    if error in OUR_FAULTS:
        logger.error("Amazon's consent page refused our application or request: %s.", error)
    return RefusedAtAmazonError(
        REFUSALS.get(error, "Amazon refused, for a reason we do not know. Nothing was connected. Try again.")
    )


def _explained(error: AmazonError | PostponedError) -> RefusedAtAmazonError:
    if isinstance(error, InvalidGrantCodeError):
        return RefusedAtAmazonError(
            "Amazon's code was used before or is older than 5 minutes. Nothing was connected. Start again."
        )
    if isinstance(error, ApplicationRefusedError):
        return RefusedAtAmazonError(
            f"Our own application was refused by Amazon ({error.code or error.status}). Nothing was connected. "
            "An administrator has to check the client id and secret."
        )
    if isinstance(error, PostponedError):
        return RefusedAtAmazonError(
            f"Amazon is busy and has to be left alone until {error.until:%H:%M} UTC. Nothing was connected. "
            "Try again then."
        )
    return RefusedAtAmazonError(f"{error} Nothing was connected. Try again.")


def _require_scopes(granted: str | None) -> None:
    """Refuse a consent that leaves out what we need; Amazon need not say what was granted."""
    if not granted:
        return
    needed = {scope for scope in scopes_in(settings.AMAZON_SCOPES) if not is_identity(scope)}
    if missing := needed - scopes_in(granted):
        raise RefusedAtAmazonError(
            f"Access to the ad accounts was not allowed ({', '.join(sorted(missing))}). Nothing was connected. "
            "Start again and allow it."
        )


async def _identity(grant: Grant, amazon: AmazonClient, *, scope: str | None = None) -> Identity:
    """Ask who it is, if that may be known: not every application asks for the `profile` scope."""
    if not tell_identity(scope or settings.AMAZON_SCOPES):
        return Identity()
    try:
        user = await amazon.lwa.user_profile(grant.access_token)
    except (ForbiddenError, PermanentError) as error:
        logger.info("Amazon did not tell which login it is: %s", error)
        return Identity()
    return Identity(user.user_id, user.name, user.email)


# --- By a refresh token -----------------------------------------------------------------------------------


async def connect_with_refresh_token(
    user: User | None,
    owner: User,
    label: str,
    refresh_token: str,
    *,
    regions: Collection[str],
    consented_at: datetime | None,
    amazon: AmazonClient,
    max_wait: float = MAX_WAIT_SECONDS,
) -> Connected:
    """Connect the login of a refresh token, which a refresh must prove first; nothing is stored before.

    None is the system itself. Raises PermissionDenied, AmazonError, PostponedError or AlreadyConnectedError.
    """
    await in_thread(require)(user, "tokens.connect_amazon")
    started_at = timezone.now()
    calls = CallStats()
    grant = await amazon.lwa.refresh(refresh_token, subject=str(uuid7()), max_wait=max_wait, stats=calls)
    received_at = time.monotonic()
    identity = await _identity(grant, amazon)
    if grant.refresh_token is None:
        grant = replace(grant, refresh_token=refresh_token)
    consent = Consent(
        owner=owner,
        grant=grant,
        identity=identity,
        received_at=received_at,
        consented_at=consented_at,
        label=label,
        regions=regions,
        proof=Proof(started_at, tries=calls.requests),
    )
    return await in_thread(grants.connect)(consent)
