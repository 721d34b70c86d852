"""Reading the events that other systems are told, for the activity: accounts and connections that have changed."""

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

from django.contrib.auth.models import User
from django.db import connection

from amazon_accounts.postgresql.statements import load
from tokens.models import Team
from tokens.models.team import Everywhere, find_teams

FIRST: Final = datetime(1, 1, 1, tzinfo=UTC)
LAST: Final = datetime(9999, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class EventRow:
    id: UUID
    type: str
    object_id: UUID
    moment: datetime
    data: dict[str, Any]


@dataclass(frozen=True)
class EventReader:
    """Reads events of the teams of a person, of one team, or about one connection."""

    teams: Sequence[UUID]
    connection: UUID | None = None
    since: datetime = FIRST
    before: datetime = LAST

    @classmethod
    def of(
        cls, user: User, team: UUID | None, known_teams: Sequence[UUID] | None = None, **more: Any
    ) -> "EventReader":
        """Return a reader of what the person sees. `known_teams` are all teams that they see, if they are known."""
        seen = find_teams(user, "accounts.view_account")
        if team is not None:
            return cls([team] if team in seen else [], **more)
        if isinstance(seen, Everywhere):
            return cls(known_teams or list(Team.objects.order_by().values_list("pk", flat=True)), **more)
        return cls(list(seen), **more)

    def find(
        self, types: Collection[str], limit: int, *, after: tuple[datetime, UUID] | None = None
    ) -> list[EventRow]:
        """Return the newest events, beginning after the key of another one."""
        if not types or not self.teams:
            return []
        name = "find_events" if self.connection is None else "find_events_of_connection"
        rows = self._run(name, after, types=list(types), since=self.since, limit=limit)
        return [
            EventRow(id_, type_, object_id, moment, json.loads(data))
            for id_, type_, object_id, moment, data in rows
        ]

    def count(self, types: Collection[str], limit: int) -> dict[str, int]:
        """Return the number of events of each type. A number above the limit may be too small."""
        if not types or not self.teams:
            return {}
        return dict(self._run("count_events", None, types=list(types), since=self.since, limit=limit + 1))

    def count_rest(
        self,
        type_: str,
        others: Collection[str],
        limit: int,
        *,
        after: tuple[datetime, UUID],
        ends_at: datetime,
    ) -> tuple[datetime, int]:
        """Return the time of the next event of the other types, at least `ends_at`, and the number of events until it."""
        ((moment, number),) = self._run(
            "count_rest", after, type=type_, others=list(others), ends_at=ends_at, limit=limit + 1
        )
        return moment, number

    def _run(self, name: str, after: tuple[datetime, UUID] | None, **more: Any) -> list[tuple[Any, ...]]:
        moment, id_ = after or (self.before, UUID(int=0))
        known: dict[str, Any] = {"teams": list(self.teams), "connection": self.connection}
        before, before_id = min((moment, id_), (self.before, UUID(int=0)))
        with connection.cursor() as cursor:
            cursor.execute(load(__file__, name), known | {"before": before, "before_id": before_id} | more)
            rows: list[tuple[Any, ...]] = cursor.fetchall()
        return rows
