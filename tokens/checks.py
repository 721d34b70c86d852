"""What must be right before any process of this app begins."""

from collections.abc import Sequence
from typing import Any

from django.apps import AppConfig
from django.core.checks import CheckMessage, Error, Tags, register
from django.core.exceptions import ImproperlyConfigured
from django.db import DatabaseError, connection

from tokens.encryption import DecryptionError, Secret

# Tokens of the newest and of the oldest connections: those that one key too few would hit first.
SAMPLE = """
(SELECT refresh_token FROM tokens_connection WHERE refresh_token IS NOT NULL ORDER BY id DESC LIMIT 50)
UNION ALL
(SELECT refresh_token FROM tokens_connection WHERE refresh_token IS NOT NULL ORDER BY id LIMIT 50)
"""


def encryption_problem() -> str:
    """Say what is wrong with TOKEN_ENCRYPTION_KEYS for what is stored; nothing if they fit or nothing is stored yet."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT to_regclass('tokens_connection') IS NOT NULL")
            row = cursor.fetchone()
            if row is None or not row[0]:
                return ""
            cursor.execute(SAMPLE)
            stored = [Secret(ciphertext) for (ciphertext,) in cursor.fetchall()]
    except DatabaseError:
        return ""  # a database that is away is somebody else's news
    unreadable = sum(not _is_readable(secret) for secret in stored)
    if not unreadable:
        return ""
    return (
        f"TOKEN_ENCRYPTION_KEYS cannot decrypt {unreadable} of {len(stored)} stored tokens. Add the key that they "
        "were encrypted with; nothing was changed."
    )


def require_fitting_keys() -> None:
    """Raise ImproperlyConfigured if TOKEN_ENCRYPTION_KEYS cannot decrypt what is stored. For the start of a process."""
    problem = encryption_problem()
    connection.close()  # of this thread, which may never ask again
    if problem:
        raise ImproperlyConfigured(problem)


def _is_readable(secret: Secret) -> bool:
    try:
        secret.reveal()
    except DecryptionError:
        return False
    return True


@register(Tags.database)
def keys_fit(
    app_configs: Sequence[AppConfig] | None, databases: Sequence[str] | None = None, **kwargs: Any
) -> list[CheckMessage]:
    if not databases:
        return []
    problem = encryption_problem()
    return [Error(problem, id="tokens.E001")] if problem else []
