"""When a person last showed the provider that it is them, and how a signed-in person shows it again."""

from typing import Final

from allauth.account.internal.flows.login import (
    AUTHENTICATION_METHODS_SESSION_KEY,
    get_authentication_records,
    record_authentication,
)
from allauth.socialaccount.models import SocialLogin
from django.contrib.auth.models import AbstractBaseUser
from django.http import HttpRequest

from amazon_accounts.postgresql.clock import approximate_now
from tokens.sign_in.oidc.errors import AnotherPersonError, NotAskedAgainError
from tokens.sign_in.oidc.provider import MAX_CLOCK_DIFFERENCE_SECONDS

PROCESS: Final = "reauthenticate"
# `prompt` has the provider ask although its own session is open. `max_age` obliges it to say in the claim `auth_time`
# when the person answered: OpenID Connect Core, sections 2 and 3.1.2.1.
PARAMETERS: Final = {"prompt": "login", "max_age": "0"}


def date_sign_in(request: HttpRequest, user: AbstractBaseUser, login: SocialLogin) -> None:
    """Date the sign-in that was just recorded by when the provider asked the person: its own session may be old."""
    signed_in_at = login.provider.signed_in_at
    if signed_in_at is not None:
        records = get_authentication_records(request, user)
        records[-1]["at"] = min(records[-1]["at"], signed_in_at)
        request.session[AUTHENTICATION_METHODS_SESSION_KEY] = records


def record(request: HttpRequest, login: SocialLogin) -> None:
    """Note in the session that the person was asked again. Raise a SignOnError, and note nothing, if they were not."""
    if login.user.pk is None or login.user.pk != request.user.pk:
        raise AnotherPersonError("the provider signed in somebody else than the person who was asked again")
    signed_in_at = login.provider.signed_in_at
    if signed_in_at is None:
        raise NotAskedAgainError(
            "the ID token does not say when the person signed in: its auth_time is missing"
        )
    asked_at = login.state["asked_at"]
    if (
        not asked_at - MAX_CLOCK_DIFFERENCE_SECONDS
        <= signed_in_at
        <= approximate_now().timestamp() + MAX_CLOCK_DIFFERENCE_SECONDS
    ):
        raise NotAskedAgainError(
            "the person did not sign in again: the auth_time of the ID token is another time"
        )
    record_authentication(
        request,
        request.user,
        "socialaccount",
        provider=login.account.provider,
        uid=login.account.uid,
        reauthenticated=True,
    )
