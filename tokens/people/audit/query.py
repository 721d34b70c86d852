"""Reading the audit trail: the filters of the page, the API and the CSV."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from tokens.models import AuditEntry, AuditEntryQuerySet
from tokens.permissions import Actor

VIEW = "tokens.view_auditentry"


@dataclass(frozen=True, kw_only=True)
class AuditQuery:
    """What is asked of the trail. Everything that is given must hold."""

    action: str = ""
    actor: str = ""
    object: str = ""
    team: UUID | None = None
    outcome: str = ""
    since: datetime | None = None
    until: datetime | None = None


def find_entries(user: Actor, query: AuditQuery) -> AuditEntryQuerySet:
    """Return the entries that the person may see and that match."""
    entries = AuditEntry.objects.visible_to(user)
    given = {
        "action": query.action,
        "actor_name": query.actor,
        "object_id": query.object,
        "team_id": query.team,
        "outcome": query.outcome,
        "at__gte": query.since,
        "at__lt": query.until,
    }
    return entries.filter(**{lookup: value for lookup, value in given.items() if value})
