"""The settings of single sign-on by OpenID Connect."""

from collections.abc import Mapping
from urllib.parse import urlsplit

from django.core.exceptions import ImproperlyConfigured

from amazon_accounts.configuration.environment import env

DISCOVERY_PATH = "/.well-known/openid-configuration"
# It is stored with each person, in a column of this length.
MAX_ISSUER_LENGTH = 200


def env_issuer(name: str) -> str:
    """Return the address of the provider, as its tokens name it. The address of its discovery document is fine too."""
    value = env(name).removesuffix(DISCOVERY_PATH).rstrip("/")
    # The message does not repeat the value, which may contain a password.
    malformed = ImproperlyConfigured(
        f"{name} must be an address like https://login.example.com/realm, without user and query, of at most "
        f"{MAX_ISSUER_LENGTH} characters."
    )
    try:
        address = urlsplit(value)
        has_host = bool(address.hostname) and address.port != 0
    except ValueError:
        raise malformed from None
    has_more = "@" in address.netloc or address.query or address.fragment
    is_plain = (
        value.isascii() and value.isprintable() and " " not in value and len(value) <= MAX_ISSUER_LENGTH
    )
    if value and (address.scheme not in {"http", "https"} or not has_host or has_more or not is_plain):
        raise malformed
    return value


def require_all_of_the_provider(values: Mapping[str, str], *, only: bool) -> None:
    """Raise ImproperlyConfigured if some settings of the provider are given and others are missing."""
    missing = [name for name, value in values.items() if not value]
    if not missing:
        return
    lack = f"{', '.join(missing)} {'is' if len(missing) == 1 else 'are'} missing"
    if only:
        raise ImproperlyConfigured(f"OIDC_ONLY is on, but {lack}: nobody could sign in.")
    if len(missing) < len(values):
        raise ImproperlyConfigured(f"{lack}: single sign-on needs {', '.join(values)}.")
