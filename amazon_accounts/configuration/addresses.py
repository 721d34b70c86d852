"""Addresses and names of hosts in environment variables, written as browsers and Django compare them, or refused."""

import re
from typing import Final
from urllib.parse import urlsplit

from django.core.exceptions import ImproperlyConfigured

from amazon_accounts.configuration.environment import env, env_list, env_secret

USUAL_PORTS: Final = {"http": 80, "https": 443}
REGION: Final = "{region}"


def env_url(name: str, default: str = "") -> str:
    """Return an address with `{region}` in it, or without, and without a slash at its end."""
    # No message of this module repeats the value, which may contain a password.
    malformed = ImproperlyConfigured(
        f"{name} must be an address like https://host/path, without user and query; {REGION} may be in it, and no other "
        "braces."
    )
    value = env(name, default)
    if not value:
        return ""
    try:
        address = urlsplit(value)
        host, port = address.hostname or "", address.port
    except ValueError:
        raise malformed from None
    has_more = "@" in address.netloc or address.query or address.fragment or port == 0
    is_plain = value.isascii() and value.isprintable() and not set(" {}") & set(value.replace(REGION, ""))
    is_host = re.fullmatch(r"[a-z0-9_.:-]+", host.replace(REGION, "r"))
    if address.scheme not in USUAL_PORTS or not is_host or has_more or not is_plain:
        raise malformed
    return f"{address.scheme}://{address.netloc.lower()}{address.path}".rstrip("/")


def env_secret_url(name: str) -> str:
    """Return an address that may be secret, such as one with a key in its path."""
    value = env_secret(name)
    try:
        address = urlsplit(value)
        is_known = address.scheme in USUAL_PORTS and bool(address.hostname) and address.port != 0
    except ValueError:
        is_known = False
    if value and not (is_known and value.isascii() and value.isprintable() and " " not in value):
        raise ImproperlyConfigured(f"{name} must be an address like https://host/path.")
    return value


def env_origin(name: str, default: str = "") -> str:
    """Return the address of a host as browsers write it: in small letters and without the usual port."""
    try:
        return _read_origin(env(name, default))
    except ValueError:
        raise ImproperlyConfigured(
            f"{name} must be an address like https://host or http://host:port, without user, path and query."
        ) from None


def env_origins(name: str) -> list[str]:
    """Return such addresses. `https://*.example.com` means every subdomain."""
    try:
        return [_read_origin(value, may_be_pattern=True) for value in env_list(name)]
    except ValueError:
        raise ImproperlyConfigured(
            f"{name} must be addresses like https://host, https://*.example.com or http://host:port, separated by "
            "commas, without user, path and query."
        ) from None


def _read_origin(value: str, *, may_be_pattern: bool = False) -> str:
    address = urlsplit(value)
    host, port = address.hostname or "", address.port
    is_pattern = may_be_pattern and host.startswith("*.")
    # idna raises ValueError too.
    host = host.removeprefix("*.").encode("idna").decode() if is_pattern else host.encode("idna").decode()
    host = host.rstrip(".")
    has_more = "@" in address.netloc or address.path.strip("/") or address.query or address.fragment
    is_host = re.fullmatch(r"[a-z0-9]([a-z0-9._-]*[a-z0-9])?|[0-9a-f:.]*:[0-9a-f:.]*", host)
    if address.scheme not in USUAL_PORTS or has_more or not is_host or port == 0:
        raise ValueError("no origin")
    host = f"[{host}]" if ":" in host else host
    host = f"*.{host}" if is_pattern else host
    return f"{address.scheme}://{host}" + ("" if port in {None, USUAL_PORTS[address.scheme]} else f":{port}")


def env_hosts(name: str) -> list[str]:
    """Return names of hosts in small letters and without the dot that may end a name. Django compares such names."""
    hosts = [host.lower().rstrip(".") for host in env_list(name)]
    for host in hosts:
        if not re.fullmatch(r"\*|\.?[a-z0-9_][a-z0-9._-]*|\[[0-9a-f:.]+\]", host):
            raise ImproperlyConfigured(
                f"{name} must be names of hosts like ads.example.com, without https:// and port, not {host!r}."
            )
    return hosts
