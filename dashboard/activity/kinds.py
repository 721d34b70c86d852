"""The kinds of activity between which a person chooses, and what the events of each say."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from dashboard.formats.times import format_date
from dashboard.status import Tone
from tokens.models import Event

Type = Event.Type

# Kinds that are shown unless a person chooses others, then those that are shown only when they are chosen.
NEWS: Final = {
    "suspended": "Suspended or restored",
    "announced": "Suspension announced",
    "found": "New or gone accounts",
    "logins": "Logins refused, working again",
    "renewals": "Connected, disconnected, consent ends",
    "renamed": "Renamed",
    "batch": "Operations",
    "failed": "Failed syncs",
}
DETAILS: Final = {
    "change": "All changes of accounts",
    "sync": "All syncs",
    "refresh": "All token refreshes",
}
KINDS: Final = {**NEWS, **DETAILS}

TYPES: Final[Mapping[str, tuple[str, ...]]] = {
    "suspended": (Type.ACCOUNT_SUSPENDED, Type.ACCOUNT_RESTORED),
    "announced": (Type.ACCOUNT_SUSPENSION_ANNOUNCED,),
    "found": (Type.ACCOUNT_APPEARED, Type.ACCOUNT_NOT_VISIBLE),
    "logins": (Type.CONNECTION_BROKEN, Type.CONNECTION_HEALED),
    "renewals": (Type.CONNECTION_CONNECTED, Type.CONNECTION_DISCONNECTED, Type.CONNECTION_CONSENT_ENDING),
}
KIND_OF_TYPE: Final = {str(type_): kind for kind, types in TYPES.items() for type_ in types}


@dataclass(frozen=True)
class Words:
    """What an event of one type says: after one name, and after a number of accounts or logins."""

    tone: Tone | None
    one: str
    many: str
    # The field of the event with the moment that `one` names, if it names one.
    moment: str = ""


WORDS: Final[Mapping[str, Words]] = {
    Type.ACCOUNT_SUSPENDED: Words("bad", "suspended", "suspended"),
    Type.ACCOUNT_RESTORED: Words("good", "can advertise again", "can advertise again"),
    Type.ACCOUNT_SUSPENSION_ANNOUNCED: Words(
        "attention", "will be suspended on {}", "will be suspended", moment="suspension_at"
    ),
    Type.ACCOUNT_APPEARED: Words(None, "is new", "are new"),
    Type.ACCOUNT_NOT_VISIBLE: Words(None, "is no longer visible", "are no longer visible"),
    Type.CONNECTION_BROKEN: Words("bad", "refused by Amazon", "refused by Amazon"),
    Type.CONNECTION_HEALED: Words("good", "is connected again", "are connected again"),
    Type.CONNECTION_CONNECTED: Words("good", "connected", "connected"),
    Type.CONNECTION_DISCONNECTED: Words(None, "disconnected", "disconnected"),
    Type.CONNECTION_CONSENT_ENDING: Words(
        "attention", "must be renewed by {}", "must be renewed soon", moment="consent_ends_at"
    ),
}


def describe_one(type_: str, data: Mapping[str, Any]) -> str:
    words = WORDS[type_]
    moment = _read_moment(words.moment, data)
    # An old event may have no moment: then the words for many fit too.
    return words.one.format(format_date(moment)) if moment else words.one if not words.moment else words.many


def _read_moment(name: str, data: Mapping[str, Any]) -> datetime | None:
    changed = data.get("changes", {}).get(name) or [None, None]
    text = data.get(name) or changed[1]
    return datetime.fromisoformat(text) if text else None
