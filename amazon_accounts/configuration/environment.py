"""The values of environment variables. A value that cannot be understood raises an error of one line."""

import os
import re
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

from django.core.exceptions import ImproperlyConfigured

MAX_WAITS = 20
MAX_WAIT_SECONDS = 604_800
MAX_SECRET_BYTES = 65_536
# The names of all secrets that were asked for. Error pages hide the settings of these names.
SECRET_NAMES: set[str] = set()


def env(name: str, default: str = "") -> str:
    return os.environ.get(name, "").strip() or default


def env_secret(name: str, default: str = "", *, environ: Mapping[str, str] = os.environ) -> str:
    """Return the secret that NAME holds, or that the file holds which NAME_FILE names.

    Every secret setting is read by this function. No message contains the secret.
    """
    secret = _read_secret(name, environ)
    if len(secret.splitlines()) > 1:
        raise ImproperlyConfigured(f"{name} has more than one line.")
    return secret or default


def env_secret_list(name: str) -> list[str]:
    """Return the secrets that are separated by commas or, in a file, by lines."""
    return _split(_read_secret(name, os.environ))


def _read_secret(name: str, environ: Mapping[str, str]) -> str:
    SECRET_NAMES.add(name)
    value = environ.get(name, "").strip()
    path = environ.get(f"{name}_FILE", "").strip()
    if not path:
        return value
    if value:
        raise ImproperlyConfigured(f"{name} and {name}_FILE are both given. Give one of them.")
    try:
        with Path(path).open("rb") as file:
            content = file.read(MAX_SECRET_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "the path is malformed"
        raise ImproperlyConfigured(f"{name}_FILE: the file cannot be read: {reason}.") from None
    return _decode_secret(name, content)


def _decode_secret(name: str, content: bytes) -> str:
    if len(content) > MAX_SECRET_BYTES:
        raise ImproperlyConfigured(f"{name}_FILE: the file is larger than {MAX_SECRET_BYTES} bytes.")
    try:
        # Editors of Windows put a byte order mark before the text.
        value = content.decode("utf-8-sig").strip()
    except UnicodeDecodeError:
        raise ImproperlyConfigured(f"{name}_FILE: the file is not UTF-8 text.") from None
    if not value:
        raise ImproperlyConfigured(f"{name}_FILE: the file is empty.")
    if "\0" in value:
        raise ImproperlyConfigured(f"{name}_FILE: the file contains a NUL.")
    return value


def env_bool(name: str, *, default: bool) -> bool:
    value = env(name).lower()
    if value in {"1", "true", "yes", "on"}:
        return True
    if value in {"0", "false", "no", "off"}:
        return False
    if value:
        raise ImproperlyConfigured(f"{name} must be true or false, not {value!r}.")
    return default


def env_float(name: str, default: float, *, minimum: float = 0.0) -> float:
    value = env(name, str(default))
    try:
        number = float(value)
    except ValueError:
        raise ImproperlyConfigured(f"{name} must be a number, not {value!r}.") from None
    if not minimum <= number < float("inf"):
        raise ImproperlyConfigured(f"{name} must be a number of at least {minimum:g}, not {value!r}.")
    return number


def env_int(name: str, default: int, *, minimum: int = 0) -> int:
    number = env_float(name, default, minimum=minimum)
    if number != int(number):
        raise ImproperlyConfigured(f"{name} must be a whole number, not {number:g}.")
    return int(number)


def env_waits(name: str, default: str) -> tuple[int, ...]:
    """Return lengths of time in seconds, which are separated by commas."""
    parts = _split(env(name, default))
    if len(parts) > MAX_WAITS or not all(
        part.isascii() and part.isdecimal() and 1 <= int(part) <= MAX_WAIT_SECONDS for part in parts
    ):
        raise ImproperlyConfigured(
            f"{name} must be at most {MAX_WAITS} whole numbers of 1 to {MAX_WAIT_SECONDS} seconds, separated by commas."
        )
    return tuple(map(int, parts))


def env_port(name: str, default: int) -> int:
    number = env_int(name, default)
    if not 1 <= number <= 65535:
        raise ImproperlyConfigured(f"{name} must be a port between 1 and 65535, not {number}.")
    return number


def env_choice(name: str, default: str, choices: list[str]) -> str:
    value = env(name, default).lower()
    if value not in choices:
        raise ImproperlyConfigured(f"{name} must be one of {', '.join(choices)}, not {value!r}.")
    return value


def env_list(name: str) -> list[str]:
    return _split(env(name))


def _split(text: str) -> list[str]:
    return [part for part in (part.strip() for part in re.split(r"[,\r\n]", text)) if part]


def env_date(name: str, default: str) -> date:
    value = env(name, default)
    try:
        return date.fromisoformat(value)
    except ValueError:
        raise ImproperlyConfigured(f"{name} must be a date like {default}, not {value!r}.") from None


def env_mail_server(name: str, default: str) -> SplitResult:
    # The address contains a password, so the message does not repeat it.
    malformed = ImproperlyConfigured(
        f"{name} must be like smtp://user:password@host:587?tls=1 or smtps://user:password@host:465, with special "
        "characters of user and password percent-encoded."
    )
    try:
        address = urlsplit(env_secret(name, default))
        port = address.port
    except ValueError:
        raise malformed from None
    is_known = (address.scheme, address.query) in {
        ("smtp", ""),
        ("smtp", "tls=0"),
        ("smtp", "tls=1"),
        ("smtps", ""),
    }
    has_half_a_login = bool(address.username) != bool(address.password)
    has_more = address.path.rstrip("/") or address.fragment
    if not is_known or not address.hostname or port == 0 or has_half_a_login or has_more:
        raise malformed
    return address


def env_sender(name: str, default: str) -> str:
    value = env(name, default)
    if not re.fullmatch(r"[^\s<>@]+@[^\s<>@]+|[^\r\n<>]* <[^\s<>@]+@[^\s<>@]+>", value):
        raise ImproperlyConfigured(f"{name} must be an address like {default}, not {value!r}.")
    return value


def require_in_production(name: str, value: list[str] | str) -> None:
    if value:
        return
    if isinstance(value, list) and env(name):
        raise ImproperlyConfigured(f"{name} contains only commas.")
    raise ImproperlyConfigured(
        f"{name} is missing. With DATABASE_URL set this is production, where it must be given."
    )
