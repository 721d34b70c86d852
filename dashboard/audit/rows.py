"""The rows of the audit trail on its page, with the names that their objects have now."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from django.contrib.auth.models import User
from django.urls import reverse

from accounts.models import Account, BatchOperation
from dashboard.audit.words import OUTCOMES, name_actor, name_deed
from dashboard.status import Status, find_status
from tokens.models import AuditEntry, Connection, ConnectLink, Invitation
from tokens.people.audit.query import VIEW, AuditQuery, find_entries
from tokens.permissions import may

LATEST: Final = 5
NO_NAMES: Final[dict[str, str]] = {}


@dataclass(frozen=True, kw_only=True)
class AuditRow:
    entry: AuditEntry
    who: str
    deed: str
    outcome: Status
    name: str
    address: str
    details: list[tuple[str, str, str]]


def make_rows(user: User, entries: list[AuditEntry]) -> list[AuditRow]:
    names = {kind: read(user, _ids_of(entries, kind)) for kind, read in READERS.items()}
    return [_make_row(entry, names.get(entry.object_type, NO_NAMES)) for entry in entries]


def read_latest(user: User, object_id: UUID) -> list[AuditRow]:
    """Return what was done last to an object, for the object's own page; nothing if the person may not read the trail."""
    if not may(user, VIEW):
        return []
    entries = find_entries(user, AuditQuery(object=str(object_id)))
    # A deed that concerns several teams has an entry for each of them, all of one moment.
    deeds = entries.order_by("-at", "action", "-id").distinct("at", "action")
    return [_make_row(entry, NO_NAMES) for entry in deeds[:LATEST]]


def _make_row(entry: AuditEntry, names: Mapping[str, str]) -> AuditRow:
    name = names.get(entry.object_id, "")
    page = PAGES.get(entry.object_type)
    is_own = entry.object_type == "person" and entry.object_id == str(entry.actor_id)
    return AuditRow(
        entry=entry,
        who=name_actor(entry),
        deed=name_deed(entry),
        outcome=find_status(OUTCOMES, entry.outcome),
        name="" if is_own else name or entry.object_name,
        # Only who sees the object is led to its page, if it has one.
        address=reverse(page, args=[entry.object_id]) if name and page else "",
        details=list_details(entry),
    )


def list_details(entry: AuditEntry) -> list[tuple[str, str, str]]:
    """Return the name of each value with what it was before and after."""
    before, after = entry.before or {}, entry.after or {}
    names = [*before, *(name for name in after if name not in before)]
    return [
        (name.replace("_", " "), write_value(before.get(name)), write_value(after.get(name)))
        for name in names
    ]


def write_value(value: Any) -> str:
    match value:
        case None:
            return ""
        case bool():
            return "yes" if value else "no"
        case list():
            return ", ".join(map(write_value, value)) or "none"
        case dict():
            return ", ".join(f"{name}: {write_value(each)}" for name, each in value.items()) or "none"
        case _:
            return str(value)


def _ids_of(entries: Iterable[AuditEntry], kind: str) -> set[UUID]:
    found = set()
    for entry in entries:
        if entry.object_type == kind:
            try:
                found.add(UUID(entry.object_id))
            except ValueError:
                continue
    return found


def _read_connections(user: User, ids: set[UUID]) -> dict[str, str]:
    rows = Connection.objects.visible_to(user).filter(pk__in=ids).only("label")
    return {str(connection.pk): connection.label for connection in rows}


def _read_accounts(user: User, ids: set[UUID]) -> dict[str, str]:
    rows = Account.objects.visible_to(user).filter(pk__in=ids).only("name", "amazon_account_id")
    return {str(account.pk): str(account) for account in rows}


def _read_batches(user: User, ids: set[UUID]) -> dict[str, str]:
    rows = BatchOperation.objects.visible_to(user).filter(pk__in=ids).only("operation", "total")
    return {str(batch.pk): str(batch) for batch in rows}


def _read_invitations(user: User, ids: set[UUID]) -> dict[str, str]:
    # Until they are accepted, revoked or forgotten. The trail itself has no address of a person.
    rows = Invitation.objects.visible_to(user).filter(pk__in=ids).values_list("pk", "email")
    return {str(pk): address for pk, address in rows}


def _read_connect_links(user: User, ids: set[UUID]) -> dict[str, str]:
    rows = ConnectLink.objects.visible_to(user).filter(pk__in=ids).values_list("pk", "label")
    return {str(pk): label for pk, label in rows}


READERS: Final[dict[str, Callable[[User, set[UUID]], dict[str, str]]]] = {
    "connection": _read_connections,
    "account": _read_accounts,
    "batch": _read_batches,
    "invitation": _read_invitations,
    "connect_link": _read_connect_links,
}
PAGES: Final = {"connection": "connection", "account": "account", "batch": "operation"}
