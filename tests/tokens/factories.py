"""Rows of this app that tests make without going through its operations."""

from datetime import datetime
from typing import Any

from django.utils import timezone

from tokens.models import Connection, TokenRefresh


def new_refresh(
    connection: Connection,
    outcome: str | None = "succeeded",
    *,
    started_at: datetime | None = None,
    **fields: Any,
) -> TokenRefresh:
    """Make a refresh in the history of a connection; without an outcome it is still open."""
    started_at = started_at or timezone.now()
    return TokenRefresh.objects.create(
        connection=connection,
        grant_version=1,
        trigger="scheduled",
        outcome=outcome,
        started_at=started_at,
        finished_at=started_at if outcome else None,
        **fields,
    )
