"""Who may sign in with a password, and set it anew."""

from django.conf import settings
from django.contrib.auth.models import AbstractBaseUser, AnonymousUser, User


def may_use_password(user: AbstractBaseUser | AnonymousUser) -> bool:
    # With OIDC_ONLY superusers keep their passwords: they mend single sign-on when it is broken.
    return not settings.OIDC_ONLY or bool(getattr(user, "is_superuser", False))


def may_reset_password(user: User) -> bool:
    # Somebody without a password signs in at the provider, and would get a way past it.
    return user.is_active and user.has_usable_password() and may_use_password(user)
