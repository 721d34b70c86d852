"""Second factors: how their secrets are stored, what a browser is told about this site, and who must have one."""

from typing import Final
from urllib.parse import urlsplit

from allauth.mfa.adapter import DefaultMFAAdapter
from allauth.mfa.models import Authenticator
from django.conf import settings
from django.contrib.auth.models import AbstractBaseUser, AnonymousUser, User
from django.db import transaction

from tokens.encryption import DecryptionError, reseal, seal, unseal

# allauth does not say whose secret it stores, so the secret is bound to the column and not to the row.
CONTEXT: Final = "mfa_authenticator.data"
SECRETS: Final = ("secret", "seed")
# Who holds one of these can do most harm.
ADMINISTRATION: Final = ("tokens.use_access_token", "tokens.view_all_connections", "auth.change_user")


class MFAAdapter(DefaultMFAAdapter):
    def encrypt(self, text: str) -> str:
        return seal(text, CONTEXT)

    def decrypt(self, encrypted_text: str) -> str:
        return unseal(encrypted_text, CONTEXT)

    def get_public_key_credential_rp_entity(self) -> dict[str, str]:
        # Not from the request: a passkey belongs to the public address for ever.
        return {"id": urlsplit(settings.PUBLIC_URL).hostname or "", "name": "Amazon Accounts"}


def lacks_second_factor(user: AbstractBaseUser | AnonymousUser) -> bool:
    """Return whether REQUIRE_MFA asks the person for a second factor that they do not have."""
    if settings.REQUIRE_MFA == "nobody" or not isinstance(user, User):
        return False
    if settings.REQUIRE_MFA == "administrators" and not any(map(user.has_perm, ADMINISTRATION)):
        return False
    return not MFAAdapter().is_mfa_enabled(user)


def rotate_second_factors() -> dict[str, int]:
    """Encrypt the secrets of second factors again with the first key; return counts as the tokens have them."""
    counts = {"rotated": 0, "current": 0, "unreadable": 0}
    for pk in Authenticator.objects.exclude(type=Authenticator.Type.WEBAUTHN).values_list("pk", flat=True):
        with transaction.atomic():
            # A recovery code that is used meanwhile changes the same column.
            row = Authenticator.objects.select_for_update().filter(pk=pk).first()
            for name in SECRETS:
                if row is not None and name in row.data:
                    counts[_rotate(row, name)] += 1
    return counts


def _rotate(row: Authenticator, name: str) -> str:
    try:
        fresh = reseal(row.data[name], CONTEXT)
    except DecryptionError:
        return "unreadable"
    if fresh is None:
        return "current"
    row.data[name] = fresh
    row.save(update_fields=["data"])
    return "rotated"
