"""Second factors: what a browser is told about this site, and who must have one."""

from typing import Final
from urllib.parse import urlsplit

from allauth.mfa.adapter import DefaultMFAAdapter
from allauth.mfa.models import Authenticator
from django.conf import settings
from django.contrib.auth.models import AbstractBaseUser, AnonymousUser, User

from tokens.permissions import may
from tokens.sign_in.factor_secrets import seal_fresh, unseal_stored

# Recovery codes stand in for one of these. Alone they are never asked for at the login.
FACTORS: Final = (Authenticator.Type.TOTP, Authenticator.Type.WEBAUTHN)


class MFAAdapter(DefaultMFAAdapter):
    def encrypt(self, text: str) -> str:
        return seal_fresh(text)

    def decrypt(self, encrypted_text: str) -> str:
        return unseal_stored(encrypted_text)

    def get_public_key_credential_rp_entity(self) -> dict[str, str]:
        # Not from the request: a passkey belongs to the public address for ever.
        return {"id": urlsplit(settings.PUBLIC_URL).hostname or "", "name": "Amazon Accounts"}


def lacks_second_factor(user: AbstractBaseUser | AnonymousUser) -> bool:
    """Return whether REQUIRE_MFA asks the person for a second factor that they do not have."""
    if settings.REQUIRE_MFA == "nobody" or not isinstance(user, User):
        return False
    if settings.REQUIRE_MFA == "administrators" and not may(user, "tokens.manage_members"):
        return False
    return not MFAAdapter().is_mfa_enabled(user, FACTORS)
