"""The filters of the list of accounts as the page shows them: what is chosen, and the choices of the one that is open."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.contrib.auth.models import User
from django.db.models import QuerySet

from accounts.lists.labels import list_values
from accounts.lists.pages import MAX_COUNT
from amazon_accounts.amazon_ads.marketplaces import COUNTRY_NAMES, name_marketplace
from dashboard.lists.account_list import AccountList
from dashboard.lists.chips import Chip, Group
from dashboard.lists.state import make_address
from dashboard.lists.values import Values, count_values
from dashboard.status import Tone
from tokens.models import Connection

MAX_CHOICES = 200
MAX_NAMED = 3
TITLES: Mapping[str, str] = {
    "health_reason": "State",
    "country": "Marketplace",
    "account_type": "Type",
    "labels": "Label",
    "connection": "Connection",
    "standing": "Billing",
    "status": "Status at Amazon",
    "sync_status": "Sync",
    "suspension_before": "Suspension before",
    "connection_labels": "Label of the connection",
}
# They are shown where an address has them, and are not offered.
RARE_TITLES: Mapping[str, str] = {
    "marketplace": "Profile in",
    "health": "Health",
    "metadata": "Metadata",
}
HINTS: Mapping[str, str] = {
    "country": "Country or code",
    "labels": "Label",
    "connection": "Connection",
}
WITHOUT_SHAPE = {"account_type"}
# A key and a value; without a value it means that an account does not have the key.
Label = tuple[str, str | None]


@dataclass(frozen=True, kw_only=True)
class Choice:
    id: str
    text: str
    code: str = ""
    flag: str = ""
    tone: Tone | None = None
    number: int | None
    current: bool
    address: str


@dataclass(frozen=True)
class Chosen:
    """A filter that is on, and where its removal leads to."""

    name: str
    title: str
    text: str
    opens: str
    removed: str


@dataclass(frozen=True)
class Opened:
    """The filter whose choices are shown. One without choices has a field instead."""

    name: str
    title: str
    hint: str
    choices: Sequence[Choice]
    typed: str
    kept: Sequence[tuple[str, str]]
    closes: str
    # Whether there are more rows than are counted, so that the choices have no numbers.
    is_uncounted: bool
    is_chosen: bool

    @property
    def field(self) -> str:
        return {"suspension_before": "date", "connection_labels": "text"}.get(self.name, "")


def describe_filters(
    user: User, state: AccountList, groups: Sequence[Group], connections: QuerySet[Connection]
) -> dict[str, Any]:
    words = {chip.id: chip for group in groups for chip in group.chips}
    chosen = [
        Chosen(
            name,
            title,
            _name_chosen(state, name, words, connections),
            state.open_address(name) if name in TITLES else "",
            state.without(name).page_address(),
        )
        for name, title in {**TITLES, **RARE_TITLES}.items()
        if state.values(name)
    ]
    names = {each.name for each in chosen}
    return {
        "chosen": chosen,
        "offered": [
            (name, title, state.open_address(name)) for name, title in TITLES.items() if name not in names
        ],
        "opened": _open(user, state, words, connections) if state.opened in TITLES else None,
    }


def _name_chosen(
    state: AccountList, name: str, words: Mapping[str, Chip], connections: QuerySet[Connection]
) -> str:
    values = state.values(name)
    match name:
        case "connection":
            ids = [UUID(value) for value in values[:MAX_NAMED]]
            texts = list(connections.filter(pk__in=ids).order_by("label").values_list("label", flat=True))
        case "country":
            texts = [COUNTRY_NAMES.get(value, value) for value in values]
        case "marketplace":
            texts = [name_marketplace(value) for value in values]
        case "labels" | "connection_labels":
            labels = state.query.filters[name]
            texts = [_name_label(key, list_values(value)) for key, value in labels.items()]
        case _:
            chips = [(value, words.get(f"chip-{name}-{value}")) for value in values]
            texts = [chip.state.word if chip else value for value, chip in chips]
    rest = len(values) - MAX_NAMED
    return ", ".join(texts[:MAX_NAMED]) + (f" and {rest} more" if rest > 0 else "")


def _open(
    user: User, state: AccountList, words: Mapping[str, Chip], connections: QuerySet[Connection]
) -> Opened:
    name, is_uncounted = state.opened, False
    if name in {"country", "labels", "connection"}:
        found = count_values(state.without(name).accounts(user), name, cap=MAX_COUNT)
        is_uncounted = found.is_cut
        choices = (
            _list_labels(state, found) if name == "labels" else _list_found(state, name, found, connections)
        )
    else:
        own = [chip for key, chip in words.items() if key.startswith(f"chip-{name}-")]
        choices = [_copy(state, name, chip) for chip in own]
        is_uncounted = any(chip.number is None for chip in own)
    return Opened(
        name,
        TITLES[name],
        HINTS.get(name, ""),
        choices,
        state.typed(name),
        state.without(name).list_pairs(state.without(name).query.given),
        state.page_address(state.cursor),
        is_uncounted,
        is_chosen=bool(state.values(name)),
    )


def _copy(state: AccountList, name: str, chip: Chip) -> Choice:
    return Choice(
        id=chip.id,
        text=chip.state.word,
        tone=None if name in WITHOUT_SHAPE else chip.state.tone,
        number=chip.number,
        current=chip.current,
        address=f"{chip.address}&filter={name}",
    )


def _list_found(
    state: AccountList, name: str, found: Values, connections: QuerySet[Connection]
) -> list[Choice]:
    if name == "country":
        known = {**dict.fromkeys(COUNTRY_NAMES, 0), **found.numbers}
        named = [(code, COUNTRY_NAMES.get(code, code), code) for code in sorted(known, key=_rank(known))]
    else:
        labels = dict(connections.filter(pk__in=list(found.numbers)).values_list("pk", "label"))
        known = {str(key): number for key, number in found.numbers.items() if key in labels}
        named = [(value, labels[UUID(value)], "") for value in sorted(known, key=_rank(known))]
    return [
        Choice(
            id=f"chip-{name}-{value}",
            text=text,
            code=code,
            flag=draw_flag(code),
            number=None if found.is_cut else known.get(value, 0),
            current=value in state.values(name),
            address=f"{state.toggle_address(name, value)}&filter={name}",
        )
        for value, text, code in named[:MAX_CHOICES]
    ]


def _list_labels(state: AccountList, found: Values) -> list[Choice]:
    """Return the labels that accounts have, and at the end each key again, for the accounts without it."""
    chosen = _chosen_labels(state)
    numbers: dict[Label, int] = {}
    for part, number in found.numbers.items():
        key, value = json.loads(part)
        numbers[key, value] = number if value is not None else found.total - number
    missing = sorted(chosen - numbers.keys(), key=str)
    offered = [*missing, *numbers]
    with_value = [label for label in offered if label[1] is not None]
    without = sorted(label for label in offered if label[1] is None)
    return [
        Choice(
            id=f"chip-labels-{key}" if value is None else f"chip-labels-{key}:{value}",
            text=f"without {key}" if value is None else f"{key}:{value}",
            number=None
            if found.is_cut
            else numbers.get((key, value), 0 if value is not None else found.total),
            current=(key, value) in chosen,
            address=f"{_toggle_label(state, key, value)}&filter=labels",
        )
        for key, value in [*with_value[:MAX_CHOICES], *without[:MAX_CHOICES]]
    ]


def _rank(numbers: Mapping[str, int]) -> Any:
    return lambda value: (-numbers[value], value)


def _chosen_labels(state: AccountList) -> set[Label]:
    labels = state.query.filters.get("labels", {})
    return {
        (key, None if value is None else str(value))
        for key, values in labels.items()
        for value in list_values(values)
    }


def _name_label(key: str, values: Sequence[Any]) -> str:
    held = [str(value) for value in values if value is not None]
    if not held:
        return f"without {key}"
    return f"{key}: {' or '.join([*held, *(['none'] if None in values else [])])}"


def _toggle_label(state: AccountList, key: str, value: str | None) -> str:
    labels: dict[str, Any] = dict(state.query.filters.get("labels", {}))
    # Several values of a key mean any of them.
    values = list_values(labels.pop(key)) if key in labels else []
    values = [each for each in values if each != value] if value in values else [*values, value]
    if values:
        labels[key] = values if len(values) > 1 else values[0]
    given = {**state.query.given, "labels": write_labels(labels)}
    return make_address(state.list_pairs(given))


def write_labels(labels: Mapping[str, Any]) -> list[str]:
    """Return the values of the filter by labels that asks for these."""
    return [json.dumps(labels, ensure_ascii=False, separators=(",", ":"))] if labels else []


def draw_flag(code: str) -> str:
    """Return the flag of a country as a character, which is only decoration."""
    if len(code) != 2 or not code.isascii() or not code.isalpha():
        return ""
    code = "GB" if code == "UK" else code
    return "".join(chr(0x1F1E6 + ord(letter) - ord("A")) for letter in code.upper())
