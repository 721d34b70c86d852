"""The settings of single sign-on by OpenID Connect."""

import json
from collections.abc import Mapping
from typing import Any, Final, NamedTuple
from urllib.parse import urlsplit

from django.core.exceptions import ImproperlyConfigured

from amazon_accounts.configuration.environment import env

DISCOVERY_PATH = "/.well-known/openid-configuration"
# It is stored with each person, in a column of this length.
MAX_ISSUER_LENGTH = 200
# The roles of tokens/people/roles.py, which cannot be imported before the settings are there.
ROLES: Final = ("viewer", "operator", "administrator")


class TeamRole(NamedTuple):
    """What membership a group of the provider gives: the name of a team, and a role."""

    team: str
    role: str


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


def env_team_roles(name: str, server_url: str) -> dict[str, TeamRole]:
    """Return what each group of the provider gives, from JSON like {"ads-north": {"team": "North", "role": "viewer"}}."""
    value = env(name)
    if not value:
        return {}
    if not server_url:
        raise ImproperlyConfigured(f"{name} is given, but OIDC_SERVER_URL is missing.")
    try:
        groups = json.loads(value, object_pairs_hook=_refuse_repeated_names)
    except (ValueError, RecursionError) as error:
        raise ImproperlyConfigured(f"{name} is not JSON: {error}.") from None
    if not isinstance(groups, dict):
        raise ImproperlyConfigured(f'{name} must be like {{"group": {{"team": "North", "role": "viewer"}}}}.')
    return {group: _read_team_role(name, group, given) for group, given in groups.items()}


def _refuse_repeated_names(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a name is there twice")
    return found


def _read_team_role(name: str, group: str, given: Any) -> TeamRole:
    where = f"{name}, group {group!r}"
    if not isinstance(given, dict) or given.keys() != {"team", "role"}:
        raise ImproperlyConfigured(f'{where}: it must be like {{"team": "North", "role": "viewer"}}.')
    team, role = given["team"], given["role"]
    if not isinstance(team, str) or not team.strip():
        raise ImproperlyConfigured(f"{where}: the team must be the name of a team.")
    if role not in ROLES:
        raise ImproperlyConfigured(f"{where}: the role must be one of {', '.join(ROLES)}, not {role!r}.")
    return TeamRole(team.strip(), role)
