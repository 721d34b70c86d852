"""The state of the accounts page: everything about it stands in its address.

Unknown keys are ignored, as people edit addresses and old bookmarks live on; of a filter whose value cannot be used
the page says so, and nothing is done to "all that match" it. What is left is asked of the same filter as the API's.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlencode

from django.contrib.auth.models import User
from django.core.exceptions import EmptyResultSet, ValidationError
from django.db import connection as database
from django.db.models import QuerySet
from django.http import QueryDict

from accounts.lists.account_pages import paginate_accounts
from accounts.lists.filters import filter_accounts
from accounts.lists.pages import MAX_COUNT, Count, Page, count_capped
from accounts.models import Account
from dashboard.status import ACCOUNT, HEALTH, SYNC, Status
from tokens.models import Connection

PAGE_SIZE = 24
LONGEST_TEXT = 200

# What the address says, and what the filter of the API calls it.
CHOICES: dict[str, tuple[str, tuple[str, ...]]] = {
    "status": ("status", tuple(Account.Status.values)),
    "type": ("account_type", tuple(Account.Type.values)),
    "sync": ("sync_status", tuple(Account.SyncStatus.values)),
    "health": ("health", tuple(Account.Health.values)),
}
CAPITALS = ("country", "marketplace")
CODES = ("marketplace", "country", "connection")
FILTERS = {*CHOICES, *CODES, "q", "label"}
SORTS = {
    "name": "Name",
    "-synced": "Last sync",
    "status": "Status",
    "-name": "Name, Z first",
    "synced": "Oldest sync",
    "-status": "Status, backwards",
}
"""What people may sort by; the first three stand on the page, and another press turns them round."""
VIEWS = ("cards", "table")


@dataclass(frozen=True)
class AccountList:
    """One state of the page, cleaned."""

    chosen: tuple[tuple[str, str], ...] = ()  # in the order of the address; a key may come several times
    unusable: tuple[tuple[str, str], ...] = ()
    sort: str = "name"
    view: str = "cards"
    after: str = ""

    @classmethod
    def of(cls, query: QueryDict, *, view: str = "cards") -> "AccountList":
        """Read an address; `view` is the one last used."""
        given = ((key, value) for key in query for value in query.getlist(key))
        cleaned = ((key, value.strip().upper() if key in CAPITALS else value) for key, value in given)
        asked = dict.fromkeys((key, value) for key, value in cleaned if key in FILTERS and value.strip())
        sort = query.get("sort", "name")
        wanted = query.get("view", view)
        return cls(
            tuple(pair for pair in asked if not _complaint(*pair)),
            tuple(pair for pair in asked if _complaint(*pair)),
            sort if sort in SORTS else "name",
            wanted if wanted in VIEWS else "cards",
            query.get("after", ""),
        )

    @classmethod
    def exactly(cls, query: str) -> "AccountList":
        """Read what "all that match" means; a ValidationError says which part of it cannot be used."""
        asked = QueryDict(query)
        unknown = [f"There is no filter “{key[:40]}”." for key in asked if key not in FILTERS]
        state = cls.of(asked)
        if complaints := unknown + state.complaints:
            raise ValidationError(complaints)
        return state

    @property
    def complaints(self) -> list[str]:
        """Say of each part that cannot be used why not."""
        return [_complaint(*pair) for pair in self.unusable]

    def typed(self, key: str) -> str:
        """Return what a field keeps: what was typed, usable or not."""
        return next((value for name, value in (*self.unusable, *self.chosen) if name == key), "")

    def values(self, key: str) -> list[str]:
        return [value for name, value in self.chosen if name == key]

    @property
    def is_filtered(self) -> bool:
        return bool(self.chosen or self.unusable)

    def without(self, *keys: str) -> "AccountList":
        return replace(self, chosen=tuple(pair for pair in self.chosen if pair[0] not in keys), after="")

    def toggled(self, key: str, value: str) -> "AccountList":
        """Return the page with one choice turned on or off; any change but paging starts at the first page."""
        pair = (key, value)
        chosen = tuple(each for each in self.chosen if each != pair)
        if len(chosen) == len(self.chosen):
            chosen = (*chosen, pair)
        return replace(self, chosen=chosen, after="")

    def sorted_by(self, sort: str) -> "AccountList":
        return replace(self, sort=sort, after="")

    def at(self, cursor: str) -> "AccountList":
        return replace(self, after=cursor)

    @property
    def filter_query(self) -> str:
        """What was asked for, without order and page: what "all that match" means."""
        return urlencode([*self.chosen, *self.unusable])

    @property
    def address(self) -> str:
        return (
            f"?{urlencode([*self.chosen, *self._manner, *([('after', self.after)] if self.after else [])])}"
        )

    @property
    def _manner(self) -> list[tuple[str, str]]:
        """How it is shown, where that is not as always."""
        manner = (("sort", self.sort), ("view", self.view))
        return [pair for pair in manner if pair not in {("sort", "name"), ("view", "cards")}]

    @property
    def hidden_inputs(self) -> list[tuple[str, str]]:
        """What a search must carry along."""
        return [*(pair for pair in self.chosen if pair[0] != "q"), *self._manner]

    def parameters(self) -> dict[str, Any]:
        """Say the same in the words of the API's filter."""
        said: dict[str, Any] = {}
        labels: dict[str, str] = {}
        for key, value in self.chosen:
            if key in CHOICES:
                said.setdefault(CHOICES[key][0], []).append(value)
            elif key == "q":
                said["search"] = value
            elif key in CODES:
                said.setdefault(key, []).append(value)
            elif key == "label":
                name, _, text = value.partition(":")
                labels[name] = text
        if labels:
            said["labels"] = labels
        return said

    def accounts(self, user: User) -> QuerySet[Account]:
        """Return what matches; a connection or country that does not exist matches nothing."""
        try:
            return filter_accounts(user, self.parameters())
        except ValidationError:
            return Account.objects.none()

    def page(self, user: User) -> Page[Account]:
        """Return the rows; a cursor that is old, foreign or tampered leads to the first page."""
        ordering = self.sort.replace("synced", "last_synced_at")
        rows = (
            self.accounts(user)
            .select_related("connection")
            .defer("metadata", "connection__access_token", "connection__refresh_token")
        )
        paginator = paginate_accounts(rows, ordering, PAGE_SIZE)
        try:
            return paginator.page(self.after or None)
        except ValidationError:
            return paginator.page()


def _complaint(key: str, value: str) -> str:
    """Say why a filter cannot be used; nothing if it can."""
    shown = f"“{value[:40]}{'…' if len(value) > 40 else ''}”"
    if key in CHOICES:
        words = CHOICES[key][1]
        return "" if value in words else f"{shown} is not a {key}; those there are: {', '.join(words)}."
    what = "search" if key == "q" else key
    if "\0" in value:
        return f"The {what} {shown} has a character that no text has."
    longest = 2 * LONGEST_TEXT if key == "label" else LONGEST_TEXT
    if len(value) > longest:
        return f"The {what} {shown} is longer than {longest} characters."
    name, colon, _ = value.partition(":")
    if key == "label" and not (name and colon):
        return f"The label {shown} needs a name and a value with a colon between, such as “team:north”."
    return ""


# --- Chips with counts ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Chip:
    id: str
    state: Status
    number: int | None  # None: more than we count
    current: bool
    address: str


@dataclass(frozen=True)
class Group:
    title: str
    chips: list[Chip]


TYPE_WORDS = {kind.value: Status("off", str(kind.label).capitalize()) for kind in Account.Type}
TYPE_WORDS[Account.Type.ADVERTISER] = Status("off", "DSP advertiser")
GROUPS: dict[str, tuple[str, Mapping[str, Status]]] = {
    "status": ("Status", ACCOUNT),
    "type": ("Type", TYPE_WORDS),
    "sync": ("Sync", SYNC),
    "health": ("Health", HEALTH),
}


def groups(user: User, state: AccountList) -> tuple[list[Group], Count]:
    """Return the chips of each group, and how many accounts match.

    A group's counts ignore its own choice and obey all others. One statement counts for all groups. Above MAX_COUNT
    accounts the chips stand without numbers, for nobody reads them and they would cost more than the page.
    """
    tallies, capped = _tally(state.without(*GROUPS).accounts(user))
    found = []
    for key, (title, words) in GROUPS.items():
        counts: Counter[str] = Counter()
        for tally in tallies:
            if tally.agrees_with(state, besides=key):
                counts[tally.words[key]] += tally.number
        chips = [
            Chip(
                f"chip-{key}-{value}",
                status,
                None if capped else counts[value],
                value in state.values(key),
                state.toggled(key, value).address,
            )
            for value, status in words.items()
        ]
        found.append(Group(title, chips))
    if capped:
        return found, count_capped(state.accounts(user))
    return found, Count(sum(tally.number for tally in tallies if tally.agrees_with(state)), capped=False)


@dataclass(frozen=True)
class Tally:
    """How many accounts have the same word in every group."""

    words: Mapping[str, str]
    number: int

    def agrees_with(self, state: AccountList, *, besides: str = "") -> bool:
        return all(
            key == besides or not state.values(key) or word in state.values(key)
            for key, word in self.words.items()
        )


def _tally(accounts: QuerySet[Account]) -> tuple[list[Tally], bool]:
    """Count up to MAX_COUNT accounts by what decides their words, and say whether there are more.

    Sync and health follow from the account and its connection: rows that agree in these are counted together, and
    the account itself says what that means.
    """
    matched = accounts.order_by().values_list("status", "account_type", "sync_enabled", "connection_id")
    try:
        inner, parameters = matched[: MAX_COUNT + 1].query.sql_with_params()
    except EmptyResultSet:
        return [], False
    with database.cursor() as cursor:
        cursor.execute(
            f"SELECT status, account_type, sync_enabled, connection_id, count(*) FROM ({inner})"  # noqa: S608 - Django's own SQL
            " AS matched (status, account_type, sync_enabled, connection_id) GROUP BY 1, 2, 3, 4",
            parameters,
        )
        rows = cursor.fetchall()
    if sum(number for *_, number in rows) > MAX_COUNT:
        return [], True
    connections = Connection.objects.defer("access_token", "refresh_token").in_bulk({row[3] for row in rows})
    tallies = []
    for status, account_type, sync_enabled, connection_id, number in rows:
        account = Account(status=status, account_type=account_type, sync_enabled=sync_enabled)
        account.connection = connections[connection_id]
        words = {
            "status": status,
            "type": account_type,
            "sync": account.sync_status,
            "health": account.health,
        }
        tallies.append(Tally(words, number))
    return tallies, False
