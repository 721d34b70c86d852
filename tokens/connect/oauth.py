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
from typing import Final

from django.conf import settings
from django.contrib.auth.models import User
from django.db import transaction
from django.urls import reverse
from django.utils import timezone
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
from amazon_accounts.postgresql.threads import in_thread
from amazon_accounts.web.links import build_link
from tokens.connect import grants
from tokens.connect.grants import AuthorizationError, Connected, Consent
from tokens.connect.identity import ask_identity
from tokens.connect.scopes import is_identity, split_scopes
from tokens.models import AuthorizationAttempt, Connection
from tokens.permissions import require

logger = logging.getLogger(__name__)

ATTEMPT_LIFE: Final = timedelta(minutes=10)
VERIFIER_PURPOSE: Final = "tokens.oauth.code_verifier"


class UnknownAttemptError(AuthorizationError):
    def __init__(self) -> None:
        super().__init__(
            "This sign-in was not started in this browser, was used before, or is older than 10 minutes. "
            "Nothing was connected."
        )


class RefusedAtAmazonError(AuthorizationError):
    """Amazon did not let us in. Nothing was connected."""


# The errors that Amazon's page may return instead of a code.
# https://developer.amazon.com/docs/login-with-amazon/authorization-code-grant.html
REFUSALS: Final[Mapping[str, str]] = {
    "access_denied": "You cancelled at Amazon. Nothing was connected.",
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
    connection: Connection | None = None,
) -> str:
    """Start an attempt for this user and session; return the address of Amazon's consent page.

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
    return build_link(reverse("connect-amazon-callback"))


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def _code_verifier(state: str) -> str:
    # The PKCE verifier is derived from the state, so it need not be stored.
    derived = salted_hmac(VERIFIER_PURPOSE, state, algorithm="sha256").digest()
    return base64.urlsafe_b64encode(derived).rstrip(b"=").decode()


async def complete_authorization(
    user: User, session_key: str, answer: Mapping[str, str], amazon: AmazonClient
) -> Connected:
    """Connect the login with `answer`, the query parameters of the redirect from Amazon's page.

    Raises AuthorizationError or PermissionDenied; then no connection is changed. An attempt works only once.
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
        async with asyncio.timeout(settings.OAUTH_CALLBACK_SECONDS):
            grant = await amazon.lwa.exchange_code(
                code, redirect_uri=redirect_uri(), code_verifier=_code_verifier(state)
            )
            received_at = time.monotonic()
            identity = await ask_identity(grant, amazon, scope=answer.get("scope"))
    except TimeoutError as error:
        raise RefusedAtAmazonError(
            f"Amazon did not answer within {settings.OAUTH_CALLBACK_SECONDS:g} seconds. Nothing was connected. Try again."
        ) from error
    except (AmazonError, PostponedError) as error:
        raise _explain(error) from error
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
    # The attempt is deleted in the transaction that reads it, so that a state works only once.
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


def _explain(error: AmazonError | PostponedError) -> RefusedAtAmazonError:
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
            "Start again and allow it."
        )
