"""The way of a client with a link: to Amazon's consent page and back, without a login here.

The link itself is the right to connect. It is bound to the browser that starts: whoever comes back with another one
connects nothing.
"""

import asyncio
import secrets
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import Final

from django.conf import settings
from django.contrib.auth.models import User
from django.db import transaction
from django.db.models.functions import Now
from django.utils.crypto import constant_time_compare

from amazon_accounts.amazon_ads.client import AmazonClient
from amazon_accounts.amazon_ads.errors import AmazonError, PostponedError
from amazon_accounts.amazon_ads.lwa import Grant
from amazon_accounts.postgresql.threads import in_thread
from tokens.connect import grants
from tokens.connect.grants import AuthorizationError, Connected, Consent, WrongLoginError
from tokens.connect.oauth import (
    OtherBrowserError,
    Reason,
    RefusedAtAmazonError,
    digest,
    exchange,
    explain,
    find_outcome,
    start_attempt,
    take_attempt,
)
from tokens.connect.scopes import tells_identity
from tokens.models import AuditEntry, AuthorizationAttempt, Connection, ConnectLink
from tokens.models.connect_link import RESULT_LIFE
from tokens.people.audit import Action, AuditedObject, record_audit

# Asks Amazon with the new grant whether it sees an account of the connection.
SeesAccount = Callable[[Connection, Grant, AmazonClient], Awaitable[bool]]

# Why a client's try came to nothing, beside `tokens.connect.oauth.Reason`.
WRONG_LOGIN: Final = "wrong_login"
# In the audit trail, which has no person for it.
CLIENT_LINK: Final = "client link"
# At least so long Amazon may take for the lists, however long it took for the grant.
MIN_SECONDS: Final = 2.0


class LinkVoidError(AuthorizationError):
    """The link was used, revoked or has expired. Nothing was connected."""


def make_browser_key() -> str:
    return secrets.token_urlsafe(32)


def begin_by_link(link: ConnectLink, browser_key: str) -> str:
    """Start an attempt for the browser with this key; return the address of Amazon's consent page.

    Raises LinkVoidError.
    """
    if not ConnectLink.objects.open().filter(pk=link.pk).exists():
        raise LinkVoidError
    return start_attempt(
        browser_key,
        region=link.regions[0],
        user=link.owner,
        link=link,
        connection=link.connection,
        team=link.team,
        regions=link.regions,
        label=link.label,
    )


def find_link_of_answer(answer: Mapping[str, str]) -> ConnectLink | None:
    """Return the link by which somebody went to Amazon whose answer this is; None for an answer to staff."""
    attempts = AuthorizationAttempt.objects.filter(
        state_digest=digest(answer.get("state", "")), link__isnull=False
    )
    attempt = attempts.select_related("link__team", "link__owner", "link__connection").first()
    return attempt.link if attempt else None


def may_see_result(link: ConnectLink, browser_key: str) -> bool:
    """Return whether the browser with this key used the link, an hour ago at most."""
    used = ConnectLink.objects.filter(pk=link.pk, used_at__gt=Now() - RESULT_LIFE)
    return bool(browser_key) and used.filter(browser_digest=digest(browser_key)).exists()


def find_last_refusal(link: ConnectLink, browser_key: str) -> str:
    """Return why the last try of the browser with this key came to nothing; "" if it has made none."""
    if not browser_key:
        return ""
    tries = AuthorizationAttempt.objects.filter(link=link, session_digest=digest(browser_key))
    last = tries.exclude(used_at=None).order_by("-created_at").values_list("refusal", flat=True).first()
    return last or ""


async def complete_by_link(
    link: ConnectLink,
    browser_key: str,
    answer: Mapping[str, str],
    amazon: AmazonClient,
    sees_account: SeesAccount,
) -> Connection:
    """Connect or renew the login with `answer`, the query parameters of the redirect from Amazon's page.

    The link is used up by this, and by nothing else. Raises AuthorizationError; then no connection is changed.
    """
    state = answer.get("state", "")
    attempts = AuthorizationAttempt.objects.filter(link=link)
    attempt, is_first = await in_thread(take_attempt)(attempts, browser_key, state)
    if not constant_time_compare(attempt.session_digest, digest(browser_key)):
        # An answer that was taken before is told again to the same browser only.
        raise OtherBrowserError
    if not is_first:
        return await in_thread(find_outcome)(attempt)
    began_at = time.monotonic()
    consent = None
    try:
        consent = await exchange(link.owner, attempt, state, answer, amazon)
        await _require_known_account(link, consent, amazon, sees_account, began_at)
        return await in_thread(_store)(link, attempt, consent, browser_key)
    except AuthorizationError as error:
        await in_thread(_record_refusal)(link, attempt, error, consent)
        raise


async def _require_known_account(
    link: ConnectLink, consent: Consent, amazon: AmazonClient, sees_account: SeesAccount, began_at: float
) -> None:
    """Raise WrongLoginError for a renewal by a login that cannot be compared, and sees no account of the connection."""
    connection, identity = link.connection, consent.identity
    if connection is None:
        return
    if connection.amazon_user_id is not None and (identity.user_id is not None or identity.is_pending):
        # The two are compared when the grant is stored.
        return
    seconds = max(settings.OAUTH_CALLBACK_SECONDS - (time.monotonic() - began_at), MIN_SECONDS)
    try:
        async with asyncio.timeout(seconds):
            is_known = await sees_account(connection, consent.grant, amazon)
    except TimeoutError as error:
        raise RefusedAtAmazonError(
            "Amazon did not list the accounts in time. Nothing was changed."
        ) from error
    except (AmazonError, PostponedError) as error:
        raise explain(error) from error
    if not is_known:
        raise WrongLoginError(
            "This login sees no account of the connection. Nothing was changed.", connection
        )


@transaction.atomic
def _store(
    link: ConnectLink, attempt: AuthorizationAttempt, consent: Consent, browser_key: str
) -> Connection:
    # Locked before the connection, so that nobody is erased between this and the new connection. The link may have
    # another owner by now.
    owner = ConnectLink.objects.filter(pk=link.pk).values("owner")
    person = User.objects.select_for_update(no_key=True).filter(pk__in=owner).first()
    if person is None:
        raise LinkVoidError
    consent = replace(consent, owner=person)
    connected = grants.connect(consent) if link.connection is None else _renew(link, link.connection, consent)
    # One UPDATE decides which of two browsers uses the link. What the other has stored is rolled back.
    used = ConnectLink.objects.open().filter(pk=link.pk)
    if not used.update(
        used_at=Now(),
        browser_digest=digest(browser_key),
        connected=connected.connection,
        has_renewed=not connected.is_new,
        came_back_as="",
    ):
        raise LinkVoidError
    AuthorizationAttempt.objects.filter(pk=attempt.pk).update(connected=connected.connection)
    grants.record_connected(None, connected, CLIENT_LINK, link.pk)
    return connected.connection


def _renew(link: ConnectLink, connection: Connection, consent: Consent) -> Connected:
    locked = Connection.objects.select_for_update(no_key=True).get(pk=connection.pk)
    if locked.team_id != link.team_id:
        raise LinkVoidError
    if consent.identity.is_pending and locked.amazon_user_id is not None:
        # Staff get a connection of its own until Amazon tells. A renewal must be the same login.
        raise RefusedAtAmazonError("Amazon has not told in time which login it is. Nothing was changed.")
    is_unnamed = consent.identity.user_id is None and locked.amazon_user_id is not None
    if is_unnamed and tells_identity(settings.AMAZON_SCOPES):
        # It may be the right login: who reads that it is another one would look for it in vain.
        raise RefusedAtAmazonError(
            "Amazon was not allowed to tell which login it is. Nothing was changed.", Reason.NOT_ALLOWED
        )
    try:
        return grants.reconnect(locked.pk, consent)
    except grants.AlreadyConnectedError as error:
        raise WrongLoginError(str(error), locked) from error


@transaction.atomic
def _record_refusal(
    link: ConnectLink, attempt: AuthorizationAttempt, error: AuthorizationError, consent: Consent | None
) -> None:
    is_wrong_login = isinstance(error, WrongLoginError)
    reason = WRONG_LOGIN if is_wrong_login else getattr(error, "reason", "void")
    AuthorizationAttempt.objects.filter(pk=attempt.pk).update(refusal=reason)
    if is_wrong_login and consent is not None:
        ConnectLink.objects.open().filter(pk=link.pk).update(came_back_as=consent.identity.title)
    asked = link.connection
    record_audit(
        None,
        Action.CONNECTION_RECONNECT if asked else Action.CONNECTION_CONNECT,
        asked or AuditedObject("connection", team_id=link.team_id),
        # Not the text, which may name an Amazon login.
        after={"reason": type(error).__name__, "given_by": CLIENT_LINK, "link": str(link.pk)},
        outcome=AuditEntry.Outcome.REFUSED,
    )
