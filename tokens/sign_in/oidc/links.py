"""The link between a person here and the person at the provider."""

import logging
from typing import Any

from allauth.socialaccount.models import SocialAccount, SocialLogin
from allauth.socialaccount.signals import social_account_added
from django.conf import settings
from django.contrib.auth.models import User
from django.db import transaction

from tokens.people.audit import Action, record_audit
from tokens.sign_in.passwords import may_use_password

logger = logging.getLogger("tokens.sign_in")


def listen() -> None:
    social_account_added.connect(log_link, dispatch_uid="tokens.sign_in.log_link")


def log_link(sociallogin: SocialLogin, **_: Any) -> None:
    logger.info("From now on single sign-on signs in %a.", sociallogin.user.username)
    record_audit(sociallogin.user, Action.SINGLE_SIGN_ON_LINK, sociallogin.user)


def find_link(user: User) -> SocialAccount | None:
    """Return the person at the provider of OIDC_SERVER_URL as whom this person signs in."""
    return SocialAccount.objects.filter(user=user, provider=settings.OIDC_SERVER_URL).first()


def must_use_provider(user: User) -> bool:
    """Return whether a provider is the person's only way in, so that who is removed there stays out."""
    # A provider of before counts too: whoever was removed there stays out when OIDC_SERVER_URL changes.
    return not user.has_usable_password() and SocialAccount.objects.filter(user=user).exists()


def may_unlink(user: User) -> bool:
    """Return whether the person can sign in without the provider."""
    return user.has_usable_password() and may_use_password(user)


@transaction.atomic
def unlink(user: User) -> bool:
    """End the sign-in of the person at the provider; return whether there was one that may end."""
    if not may_unlink(user):
        return False
    deleted, _ = SocialAccount.objects.filter(user=user, provider=settings.OIDC_SERVER_URL).delete()
    if deleted:
        record_audit(user, Action.SINGLE_SIGN_ON_UNLINK, user)
        logger.info("Single sign-on does not sign in %a any more.", user.username)
    return bool(deleted)
