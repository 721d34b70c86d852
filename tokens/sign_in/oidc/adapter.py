"""Where django-allauth asks this project about single sign-on: which provider there is, and who becomes whom."""

import logging
from typing import Any, cast

from allauth.account.adapter import get_adapter as get_account_adapter
from allauth.core.exceptions import ImmediateHttpResponse
from allauth.socialaccount.adapter import DefaultSocialAccountAdapter
from allauth.socialaccount.models import SocialAccount, SocialApp, SocialLogin
from allauth.socialaccount.providers.base import AuthError
from django.conf import settings
from django.contrib.auth.models import User
from django.db import IntegrityError, transaction
from django.http import HttpRequest
from django.shortcuts import redirect
from django.urls import reverse

from amazon_accounts.amazon_ads.foreign_text import clean_identifier
from tokens.people.audit import Action, record_audit
from tokens.sign_in.oidc import reauthentication
from tokens.sign_in.oidc.calls import ProviderSession
from tokens.sign_in.oidc.errors import (
    DeniedError,
    RefusedError,
    SameTimeError,
    UnknownAnswerError,
    UselessAnswerError,
)
from tokens.sign_in.oidc.provider import Provider

logger = logging.getLogger("tokens.sign_in")


class SocialAccountAdapter(DefaultSocialAccountAdapter):
    def list_apps(
        self, _request: HttpRequest | None, provider: str | None = None, client_id: str | None = None
    ) -> list[SocialApp]:
        # Not from the database: the secret is a setting. People are stored with the address of the provider, so that
        # another provider's person with the same subject is somebody else.
        if not settings.OIDC_SERVER_URL:
            return []
        app = SocialApp(
            provider=Provider.id,
            provider_id=settings.OIDC_SERVER_URL,
            name="Single sign-on",
            client_id=settings.OIDC_CLIENT_ID,
            secret=settings.OIDC_CLIENT_SECRET,
            settings={"server_url": settings.OIDC_SERVER_URL, "oauth_pkce_enabled": True},
        )
        is_asked_for = provider in {None, app.provider, app.provider_id} and client_id in {
            None,
            app.client_id,
        }
        return [app] if is_asked_for else []

    def get_provider(self, request: HttpRequest, provider: str, client_id: str | None = None) -> Provider:
        return Provider(request, app=self.get_app(request, provider, client_id))

    def list_providers(self, request: HttpRequest) -> list[Provider]:
        return [Provider(request, app=app) for app in self.list_apps(request)]

    def get_requests_session(self) -> ProviderSession:
        return ProviderSession()

    def is_open_for_signup(self, _request: HttpRequest, _sociallogin: SocialLogin) -> bool:
        # Who signs in first gets a row without any rights.
        return True

    def is_auto_signup_allowed(self, _request: HttpRequest, _sociallogin: SocialLogin) -> bool:
        # No form is shown.
        return True

    def can_authenticate_by_email(self, _login: SocialLogin, _email: str) -> bool:
        return False

    def pre_social_login(self, request: HttpRequest, sociallogin: SocialLogin) -> None:
        # Whatever allauth does next, the provider's token is not stored in the session.
        sociallogin.token = None
        if sociallogin.state["process"] == reauthentication.PROCESS:
            reauthentication.record(request, sociallogin)
            # allauth would sign the person in anew.
            raise ImmediateHttpResponse(redirect(sociallogin.state["next"]))

    def save_user(self, request: HttpRequest, sociallogin: SocialLogin, form: None = None) -> User:
        user = cast("User", sociallogin.user)
        user.set_unusable_password()
        get_account_adapter().populate_username(request, user)
        try:
            with transaction.atomic():
                # `connect` leaves out the rows of addresses, which find people.
                sociallogin.save(request, connect=True)
                record_audit(user, Action.PERSON_MAKE, user, after={"by": "single sign-on"})
        except IntegrityError:
            raise SameTimeError("the same person or name was stored at the same time") from None
        logger.info("Made the person %a, who signed in by single sign-on for the first time.", user.username)
        return user

    def on_authentication_error(
        self,
        request: HttpRequest,
        _provider: Provider,
        error: str | None = None,
        exception: Exception | None = None,
        extra_context: dict[str, Any] | None = None,
    ) -> None:
        if "state" not in (extra_context or {}):
            raise UnknownAnswerError("its state is unknown in this browser")
        if exception is not None:
            # Its text may contain what the provider answered.
            raise UselessAnswerError(f"the provider's answer is not valid ({exception.__class__.__name__})")
        code = clean_identifier(request.GET.get("error")) or "neither a code nor an error"
        if error == AuthError.CANCELLED:
            raise DeniedError(f"the provider answered {code}")
        raise RefusedError(f"the provider answered {code}")

    def get_connect_redirect_url(self, _request: HttpRequest, _account: SocialAccount) -> str:
        return reverse("security")
