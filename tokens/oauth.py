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
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from django.conf import settings
from django.contrib.auth.models import User
from django.db import IntegrityError, transaction
from django.urls import reverse
from django.utils import timezone
from django.utils.crypto import constant_time_compare, salted_hmac
from uuid_utils.compat import uuid7

from amazon_accounts.amazon_ads.client import AmazonClient
from amazon_accounts.amazon_ads.database import in_thread
from amazon_accounts.amazon_ads.errors import (
    AmazonError,
    ApplicationRefusedError,
    ForbiddenError,
    InvalidGrantCodeError,
    PermanentError,
    PostponedError,
)
from amazon_accounts.amazon_ads.hosts import Region
from amazon_accounts.amazon_ads.lwa import AmazonUser, Grant, authorize_url
from tokens import alerts
from tokens.models import AuthorizationAttempt, Connection, TokenRefresh, all_regions
from tokens.schedule import refresh_in
from tokens.signals import connection_changed

logger = logging.getLogger(__name__)

ATTEMPT_LIFE: Final = timedelta(minutes=10)
AMAZON_SECONDS: Final = 10.0
VERIFIER_PURPOSE: Final = "tokens.oauth.code_verifier"


class AuthorizationError(Exception):
    """The login could not be connected."""

    def __init__(self, message: str = "") -> None:
        super().__init__(message or self.__doc__)


class UnknownAttemptError(AuthorizationError):
    """This sign-in was not begun in this browser, was used before, or is older than 10 minutes. Nothing was connected."""


class RefusedAtAmazonError(AuthorizationError):
    """Amazon did not let us in. Nothing was connected."""


class WrongLoginError(AuthorizationError):
    """Another Amazon login came back than the one that was to be reconnected."""


class AlreadyConnectedError(AuthorizationError):
    """That Amazon login is connected already, as another connection."""


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


@dataclass(frozen=True)
class Identity:
    """Which Amazon login it is, as far as Amazon told."""

    user_id: str | None = None
    name: str = ""
    email: str = ""

    @property
    def title(self) -> str:
        return self.email or self.name or self.user_id or ""


@dataclass(frozen=True)
class Connected:
    """A login that was connected, and whether that made a new connection."""

    connection: Connection
    is_new: bool


@dataclass(frozen=True)
class _Consent:
    """Everything that a grant brings, before it is stored."""

    owner: User
    grant: Grant
    identity: Identity
    received_at: float = field(default_factory=time.monotonic)
    consented_at: datetime | None = None
    label: str = ""
    regions: Collection[str] = ()
    proof: "_Proof | None" = None


@dataclass(frozen=True)
class _Proof:
    """The refresh that proved a refresh token."""

    started_at: datetime
    tries: int


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
    """Open an attempt, bound to this user and session; return the address of Amazon's consent page."""
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
    return authorize_url(region=region, state=state, redirect_uri=redirect_uri(), code_challenge=challenge)


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

    Raises AuthorizationError; whatever goes wrong, the attempt cannot be used again and nothing is changed.
    """
    state = answer.get("state", "")
    attempt = await in_thread(_take_attempt)(user, session_key, state)
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
    consent = _Consent(
        owner=user,
        grant=grant,
        identity=identity,
        received_at=received_at,
        consented_at=timezone.now(),
        label=attempt.label,
        regions=attempt.regions,
    )
    if attempt.connection_id is not None:
        return await in_thread(_reconnect)(attempt.connection_id, consent)
    return await in_thread(_connect)(consent)


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


def _scopes(text: str) -> set[str]:
    return set(text.replace("+", " ").split())


def _is_identity_scope(scope: str) -> bool:
    return scope.split(":", 1)[0] == "profile"


def _require_scopes(granted: str | None) -> None:
    """Refuse a consent that leaves out what we need; Amazon need not say what was granted."""
    if not granted:
        return
    needed = {scope for scope in _scopes(settings.AMAZON_SCOPES) if not _is_identity_scope(scope)}
    if missing := needed - _scopes(granted):
        raise RefusedAtAmazonError(
            f"Access to the ad accounts was not allowed ({', '.join(sorted(missing))}). Nothing was connected. "
            "Start again and allow it."
        )


async def _identity(grant: Grant, amazon: AmazonClient, *, scope: str | None = None) -> Identity:
    """Ask who it is, if that may be known: not every application asks for the `profile` scope."""
    if not any(map(_is_identity_scope, _scopes(scope or settings.AMAZON_SCOPES))):
        return Identity()
    try:
        user = await amazon.lwa.user_profile(grant.access_token)
    except (ForbiddenError, PermanentError) as error:
        logger.info("Amazon did not tell which login it is: %s", error)
        return Identity()
    return _known(user)


def _known(user: AmazonUser) -> Identity:
    return Identity(user.user_id, user.name or "", user.email or "")


# --- By a refresh token -----------------------------------------------------------------------------------


async def connect_with_refresh_token(
    owner: User,
    label: str,
    refresh_token: str,
    *,
    regions: Collection[str],
    consented_at: datetime | None,
    amazon: AmazonClient,
    wait: float = 60.0,
) -> Connected:
    """Connect the login of a refresh token, which a refresh must prove first; nothing is stored before.

    Raises AmazonError, PostponedError or AlreadyConnectedError.
    """
    started_at = timezone.now()
    sent_at = time.monotonic()
    subject = str(uuid7())
    grant = await amazon.lwa.refresh(refresh_token, subject=subject, wait=wait)
    identity = await _identity(grant, amazon)
    if grant.refresh_token is None:
        grant = Grant(
            access_token=grant.access_token,
            refresh_token=refresh_token,
            expires_in=grant.expires_in,
            request_id=grant.request_id,
        )
    consent = _Consent(
        owner=owner,
        grant=grant,
        identity=identity,
        received_at=sent_at,
        consented_at=consented_at,
        label=label,
        regions=regions,
        proof=_Proof(started_at, tries=1),
    )
    return await in_thread(_connect)(consent)


# --- Storing a grant --------------------------------------------------------------------------------------


def _connect(consent: _Consent) -> Connected:
    """Store the grant as a new connection, or in the one that this login has already."""
    try:
        with transaction.atomic():
            known = _connection_of_login(consent)
            if known is not None:
                return Connected(_renew(known, consent), is_new=False)
            return Connected(_create(consent), is_new=True)
    except IntegrityError:
        # Somebody connected the same login at the same moment.
        with transaction.atomic():
            known = _connection_of_login(consent)
            if known is None:
                raise
            return Connected(_renew(known, consent), is_new=False)


def _connection_of_login(consent: _Consent) -> Connection | None:
    """Find the connection that this login has already; without an identity, the one of this very token."""
    candidates = Connection.objects.select_for_update().filter(
        owner=consent.owner, client_id=settings.AMAZON_CLIENT_ID
    )
    candidates = candidates.exclude(state=Connection.State.DISCONNECTED)
    if consent.identity.user_id is not None:
        return candidates.filter(amazon_user_id=consent.identity.user_id).first()
    for connection in candidates.filter(refresh_token__isnull=False):
        if connection.refresh_token is not None and (
            connection.refresh_token.reveal() == consent.grant.refresh_token
        ):
            return connection
    return None


def _create(consent: _Consent) -> Connection:
    connection = Connection(
        owner=consent.owner,
        label=consent.label or consent.identity.title or f"Amazon login of {timezone.now():%Y-%m-%d %H:%M}",
        regions=list(consent.regions) or all_regions(),
        grant_version=0,
    )
    _put(connection, consent)
    connection.save(force_insert=True)
    _note_proof(connection, consent)
    connection_changed.send(sender=Connection, connection=connection, change="connected")
    return connection


def _reconnect(connection_id: UUID, consent: _Consent) -> Connected:
    """Store the grant in this connection, if it is of the login that this connection belongs to."""
    with transaction.atomic():
        connection = Connection.objects.select_for_update().get(pk=connection_id)
        _require_same_login(connection, consent.identity)
        try:
            with transaction.atomic():
                return Connected(_renew(connection, consent), is_new=False)
        except IntegrityError as error:
            raise AlreadyConnectedError(
                f"You signed in to Amazon as {consent.identity.title}, which is connected already. "
                "Nothing was changed."
            ) from error


def _require_same_login(connection: Connection, came_back: Identity) -> None:
    if connection.amazon_user_id is None:
        return
    if came_back.user_id is None:
        if any(map(_is_identity_scope, _scopes(settings.AMAZON_SCOPES))):
            raise WrongLoginError(
                "Amazon did not tell which login you signed in with, so this connection was left as it is. "
                "Start again and allow access to the profile."
            )
        return
    if connection.amazon_user_id != came_back.user_id:
        raise WrongLoginError(
            f"You signed in to Amazon as {came_back.title}, but this connection belongs to "
            f"{connection.amazon_user}. Nothing was changed."
        )


def _renew(connection: Connection, consent: _Consent) -> Connection:
    """Put the new grant in place of the old one; accounts, labels and history stay."""
    was_broken = connection.state == Connection.State.REAUTHORIZATION_REQUIRED
    if consent.label:
        connection.label = consent.label
    if consent.regions:
        connection.regions = list(consent.regions)
    _put(connection, consent)
    connection.save()
    _note_proof(connection, consent)
    if was_broken:
        alerts.connection_healed(connection)
    connection_changed.send(sender=Connection, connection=connection, change="healed")
    return connection


def _put(connection: Connection, consent: _Consent) -> None:
    """Set everything that a new grant changes. A refresh of the old grant that is under way is fenced out."""
    now = timezone.now()
    age = time.monotonic() - consent.received_at
    life = max(consent.grant.expires_in - age, 0.0)
    identity = consent.identity
    connection.client_id = settings.AMAZON_CLIENT_ID
    connection.state = Connection.State.ACTIVE
    if identity.user_id is not None:
        connection.amazon_user_id = identity.user_id
        connection.amazon_user_name = identity.name
        connection.amazon_user_email = identity.email
    connection.access_token = consent.grant.access_token
    connection.refresh_token = consent.grant.refresh_token
    connection.expires_at = now + timedelta(seconds=life)
    connection.next_refresh_at = now + refresh_in(life)
    connection.lease_id = None
    connection.last_refreshed_at = now
    connection.consented_at = consent.consented_at
    connection.grant_version += 1
    connection.grant_refusals = 0
    connection.last_error = ""
    connection.last_error_at = None
    connection.disconnected_at = None
    connection.disconnected_by = None


def _note_proof(connection: Connection, consent: _Consent) -> None:
    if consent.proof is None:
        return
    TokenRefresh.objects.create(
        connection=connection,
        grant_version=connection.grant_version,
        trigger=TokenRefresh.Trigger.CONNECT,
        tries=consent.proof.tries,
        started_at=consent.proof.started_at,
        finished_at=timezone.now(),
        outcome=TokenRefresh.Outcome.SUCCEEDED,
        request_id=consent.grant.request_id,
        new_expires_at=connection.expires_at,
        left_fresh=True,
    )
