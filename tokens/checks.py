"""Whether settings fit what is stored.

TOKEN_ENCRYPTION_KEYS must decrypt the stored tokens, or no process starts. OIDC_TEAM_ROLES must name teams that are
there, or web does not start, where people sign in.
"""

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


def find_team_problem() -> str:
    """Return which teams of OIDC_TEAM_ROLES are missing, or "" if all are there or the database has no teams yet."""
    # The models cannot be imported before Django is set up.
    from tokens.people.groups import find_teams_of_groups, quote

    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT to_regclass('tokens_team') IS NOT NULL")
            row = cursor.fetchone()
        if row is None or not row[0]:
            return ""
        missing = [name for name, team in find_teams_of_groups().items() if team is None]
    except DatabaseError:
        return ""
    if not missing:
        return ""
    return f"OIDC_TEAM_ROLES names teams that do not exist: {quote(missing)}. Make them with: manage.py team NAME"


def require_known_teams() -> None:
    problem = find_team_problem()
    connection.close()
    if problem:
        raise ImproperlyConfigured(problem)


def check_stored(
    app_configs: Sequence[AppConfig] | None, databases: Sequence[str] | None = None, **kwargs: Any
) -> list[CheckMessage]:
    if not databases:
        return []
    found = {"tokens.E001": find_encryption_problem(), "tokens.E002": find_team_problem()}
    return [Error(problem, id=id_) for id_, problem in found.items() if problem]
