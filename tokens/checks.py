"""Whether TOKEN_ENCRYPTION_KEYS can decrypt the stored tokens. No process starts if they cannot."""

from collections.abc import Sequence
from typing import Any

from django.apps import AppConfig
from django.core.checks import CheckMessage, Error
from django.core.exceptions import ImproperlyConfigured
from django.db import DatabaseError, connection

from amazon_accounts.postgresql.statements import load
from tokens.encryption import has_key_of


def find_encryption_problem() -> str:
    """Return what is wrong with TOKEN_ENCRYPTION_KEYS, or "" if they fit or no token is stored."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT to_regclass('tokens_connection') IS NOT NULL")
            row = cursor.fetchone()
            if row is None or not row[0]:
                return ""
            cursor.execute(load(__file__, "sample_tokens"))
            stored = [sealed for (sealed,) in cursor.fetchall()]
    except DatabaseError:
        # An outage is reported by the code that needs the database next.
        return ""
    # A token that was moved or damaged is a fault of its row, which must not keep the processes from starting.
    unreadable = sum(not has_key_of(sealed) for sealed in stored)
    if not unreadable:
        return ""
    return (
        f"TOKEN_ENCRYPTION_KEYS cannot decrypt {unreadable} of {len(stored)} stored tokens. Add the key that they "
        "were encrypted with; nothing was changed."
    )


def require_fitting_keys() -> None:
    problem = find_encryption_problem()
    # The caller may be a thread that never uses its connection again.
    connection.close()
    if problem:
        raise ImproperlyConfigured(problem)


def check_keys(
    app_configs: Sequence[AppConfig] | None, databases: Sequence[str] | None = None, **kwargs: Any
) -> list[CheckMessage]:
    if not databases:
        return []
    problem = find_encryption_problem()
    return [Error(problem, id="tokens.E001")] if problem else []
