"""Login with Amazon: the address of the consent page, tokens for a code or refresh token, and the user profile.

https://developer.amazon.com/docs/login-with-amazon/authorization-code-grant.html
"""

import logging
import re
import time
from collections.abc import Awaitable
from dataclasses import dataclass, field
from typing import Any, TypeGuard, TypeVar
from urllib.parse import urlencode

from django.conf import settings

from amazon_accounts.amazon_ads.error_reader import (
    build_lwa_error,
    build_profile_error,
    find_request_id,
    read_refusal,
)
from amazon_accounts.amazon_ads.errors import (
    AmazonError,
    ApplicationRefusedError,
    UnreachableError,
    UnreadableAnswerError,
)
from amazon_accounts.amazon_ads.foreign_text import make_storable
from amazon_accounts.amazon_ads.hosts import lwa_url
from amazon_accounts.amazon_ads.json_body import NotJsonError, decode_json
from amazon_accounts.amazon_ads.pacing import application
from amazon_accounts.amazon_ads.pacing.pace import MAX_WAIT_SECONDS
from amazon_accounts.amazon_ads.pacing.rate_limiter import LWA_KEY, ExponentialBackoffRateLimiter
from amazon_accounts.amazon_ads.pacing.slots import CallStats
from amazon_accounts.amazon_ads.time_limit import limit_time
from amazon_accounts.amazon_ads.wire import Reply, Request, Wire

logger = logging.getLogger(__name__)

# Codes and tokens are global, so one host serves all regions.
ANY_REGION = "NA"
# How long an access token lives if the answer does not say it, and the longest life that is believed.
USUAL_LIFE_SECONDS = 3600
MAX_LIFE_SECONDS = 24 * 3600
# A process records at most once in this time that Amazon accepts the application.
ACCEPTANCE_SECONDS = 30.0
# How long a request for which a person waits may wait for its slot. It gets one attempt.
MAX_WAIT_OF_A_PERSON_SECONDS = 3.0

Result = TypeVar("Result")

_TOKEN = re.compile(r"[\x21-\x7e]{1,4096}")


@dataclass(frozen=True)
class Grant:
    access_token: str = field(repr=False)
    # None if the answer has none. The old refresh token then stays valid.
    refresh_token: str | None = field(repr=False)
    expires_in: int
    request_id: str


@dataclass(frozen=True)
class AmazonUser:
    user_id: str
    name: str
    email: str


def build_authorize_url(*, region: str = "NA", state: str, redirect_uri: str, code_challenge: str) -> str:
    query = urlencode(
        {
            "client_id": settings.AMAZON_CLIENT_ID,
            "scope": settings.AMAZON_SCOPES,
            "response_type": "code",
            "redirect_uri": redirect_uri,
            "state": state,
            "code_challenge": code_challenge,
            "code_challenge_method": "S256",
        }
    )
    return f"{lwa_url(region, 'authorize')}?{query}"


class LoginWithAmazon:
    def __init__(self, wire: Wire, limiter: ExponentialBackoffRateLimiter) -> None:
        self._wire = wire
        self._limiter = limiter
        # By the monotonic clock.
        self._accepted_at = float("-inf")

    async def exchange_code(self, code: str, *, redirect_uri: str, code_verifier: str) -> Grant:
        # One attempt only, because a code is valid once.
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": redirect_uri,
            "code_verifier": code_verifier,
        }
        return await self._limit_time(
            self._request_grant(
                form, (code, code_verifier), "consent", max_wait=MAX_WAIT_OF_A_PERSON_SECONDS, attempts=1
            )
        )

    async def refresh(
        self,
        refresh_token: str,
        *,
        subject: str,
        max_wait: float = MAX_WAIT_SECONDS,
        stats: CallStats | None = None,
    ) -> Grant:
        form = {"grant_type": "refresh_token", "refresh_token": refresh_token}
        return await self._request_grant(form, (refresh_token,), subject, max_wait=max_wait, stats=stats)

    async def user_profile(
        self, access_token: str, *, attempts: int = 1, max_seconds: float | None = None
    ) -> AmazonUser:
        """Return whose login it is. ForbiddenError if the consent does not include the scope `profile`.

        One attempt takes at most `max_seconds`, by default LWA_TIMEOUT_SECONDS, which is the limit of all together.
        """
        request = Request(
            "GET",
            lwa_url(ANY_REGION, "profile"),
            "GET /user/profile",
            headers={"Authorization": f"Bearer {access_token}", "Accept": "application/json"},
            secrets=(access_token,),
            max_seconds=settings.LWA_TIMEOUT_SECONDS if max_seconds is None else max_seconds,
        )

        async def send(_: None) -> AmazonUser:
            reply = await self._wire.send(request)
            if not reply.is_success:
                raise build_profile_error(
                    read_refusal(reply.status, reply.headers, reply.body, request.secrets),
                    request.description,
                )
            return _read_user(_read_object(reply, request), reply)

        return await self._limit_time(
            self._limiter.call(
                LWA_KEY,
                "consent",
                prepare=_prepare_nothing,
                send=send,
                max_wait=MAX_WAIT_OF_A_PERSON_SECONDS,
                attempts=attempts,
            )
        )

    async def _request_grant(
        self,
        form: dict[str, str],
        secrets: tuple[str, ...],
        subject: str,
        *,
        max_wait: float,
        attempts: int | None = None,
        stats: CallStats | None = None,
    ) -> Grant:
        client_id, secret = settings.AMAZON_CLIENT_ID, settings.AMAZON_CLIENT_SECRET
        request = Request(
            "POST",
            lwa_url(ANY_REGION, "token"),
            f"the {form['grant_type'].replace('_', ' ')} request",
            headers={
                "Content-Type": "application/x-www-form-urlencoded;charset=UTF-8",
                "Accept": "application/json",
            },
            form={**form, "client_id": client_id, "client_secret": secret},
            secrets=(*secrets, secret),
            max_seconds=settings.LWA_TIMEOUT_SECONDS,
        )

        async def send(_: None) -> Grant:
            reply = await self._wire.send(request)
            if not reply.is_success:
                raise _build_error(request, reply, with_code="code" in form)
            return _read_grant(_read_object(reply, request), reply)

        try:
            grant = await self._limiter.call(
                LWA_KEY,
                subject,
                prepare=_prepare_nothing,
                send=send,
                max_wait=max_wait,
                attempts=attempts,
                stats=stats,
            )
        except ApplicationRefusedError as error:
            self._accepted_at = float("-inf")
            await self._limiter.database.try_to_record(application.record_refusal, client_id, secret, error)
            raise
        await self._record_acceptance(client_id, secret)
        return grant

    async def _record_acceptance(self, client_id: str, secret: str) -> None:
        if time.monotonic() - self._accepted_at < ACCEPTANCE_SECONDS:
            return
        # A failure is not raised, because it would lose the grant, which may hold the only refresh token.
        if await self._limiter.database.try_to_record(application.record_acceptance, client_id, secret):
            self._accepted_at = time.monotonic()

    async def _limit_time(self, answer: Awaitable[Result]) -> Result:
        try:
            async with limit_time(settings.LWA_TIMEOUT_SECONDS):
                return await answer
        except TimeoutError:
            raise UnreachableError(
                f"Login with Amazon gave no answer in {settings.LWA_TIMEOUT_SECONDS:g} seconds"
            ) from None


async def _prepare_nothing() -> None:
    # These requests need no access token.
    return None


def _build_error(request: Request, reply: Reply, *, with_code: bool) -> AmazonError:
    refusal = read_refusal(reply.status, reply.headers, reply.body, request.secrets)
    return build_lwa_error(refusal, request.description, with_code=with_code)


def _read_object(reply: Reply, request: Request) -> dict[str, Any]:
    try:
        value = decode_json(reply.body)
    except NotJsonError as error:
        raise UnreadableAnswerError(
            f"The answer to {request.description} is {error}", request_id=find_request_id(reply.headers)
        ) from None
    if not isinstance(value, dict):
        raise UnreadableAnswerError(
            f"The answer to {request.description} is not a JSON object",
            request_id=find_request_id(reply.headers),
        )
    return value


def _read_grant(value: dict[str, Any], reply: Reply) -> Grant:
    request_id = find_request_id(reply.headers, value)
    access_token, refresh_token = value.get("access_token"), value.get("refresh_token") or None
    if not _is_token(access_token):
        raise UnreadableAnswerError("Login with Amazon's answer has no access token", request_id=request_id)
    if refresh_token is not None and not _is_token(refresh_token):
        raise UnreadableAnswerError(
            "Login with Amazon's answer has a refresh token that is not valid text", request_id=request_id
        )
    return Grant(
        access_token=access_token,
        refresh_token=refresh_token,
        expires_in=_read_life(value.get("expires_in")),
        request_id=request_id,
    )


def _is_token(value: object) -> TypeGuard[str]:
    # Tokens travel in headers and forms: printable, without spaces, not endless.
    return isinstance(value, str) and bool(_TOKEN.fullmatch(value))


def _read_life(value: object) -> int:
    # Amazon writes the seconds as a number, and in one sample as text.
    try:
        seconds = float(value) if isinstance(value, str | int | float) else 0.0
    except (ValueError, OverflowError):
        return USUAL_LIFE_SECONDS
    return int(seconds) if 1 <= seconds <= MAX_LIFE_SECONDS else USUAL_LIFE_SECONDS


def _read_user(value: dict[str, Any], reply: Reply) -> AmazonUser:
    # An older form of the answer.
    older = value.get("Profile")
    if isinstance(older, dict):
        value = {
            "user_id": older.get("CustomerId"),
            "name": older.get("Name"),
            "email": older.get("PrimaryEmail"),
        }
    texts = {name: make_storable(value.get(name)) for name in ("user_id", "name", "email")}
    known = {name: text if isinstance(text, str) else "" for name, text in texts.items()}
    if not known["user_id"]:
        raise UnreadableAnswerError(
            "The user profile has no user id", request_id=find_request_id(reply.headers, value)
        )
    return AmazonUser(**known)
