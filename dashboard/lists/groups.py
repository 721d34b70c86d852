"""The accounts in groups with a line of health each: by connection, team, marketplace, or a key of their labels."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from django.contrib.auth.models import User
from django.core.exceptions import EmptyResultSet
from django.db import connection as database

from accounts.lists.by_connection import NO_REASON
from accounts.lists.pages import MAX_COUNT, Count
from accounts.models import Account
from amazon_accounts.amazon_ads.marketplaces import COUNTRY_NAMES
from dashboard.lists.account_chips import COLUMNS, build_account, load_connections
from dashboard.lists.account_counts import AtLeast
from dashboard.lists.account_filters import draw_flag, write_labels
from dashboard.lists.account_list import GROUPINGS, LABEL_PREFIX, AccountList
from dashboard.lists.state import make_address
from dashboard.status import REASON, Tone
from tokens.models import Connection, Team

MAX_GROUPS = 50
MAX_KEYS_OFFERED = 20
MAX_KEYS_READ = 1_000
# By what accounts are grouped: a column, and the parts of it in which an account stands.
PARTS: Mapping[str, tuple[str, str]] = {
    # Every login that sees the account, as the filter by connection means it.
    "connection": (
        "id",
        (
            "CROSS JOIN LATERAL (SELECT matched.connection_id UNION SELECT access.connection_id"
            " FROM accounts_accountaccess AS access WHERE access.account_id = matched.held) AS own (part)"
        ),
    ),
    "team": ("team_id", "CROSS JOIN LATERAL (SELECT matched.held) AS own (part)"),
    "country": ("countries", "LEFT JOIN LATERAL unnest(matched.held) AS own (part) ON true"),
    "label": ("id", "CROSS JOIN LATERAL (SELECT matched.labels ->> %s) AS own (part)"),
}
# Accounts without a marketplace or the label are a group as well.
NOUNS: Mapping[str, tuple[str, str]] = {
    "connection": ("connection", "connections"),
    "team": ("team", "teams"),
    "country": ("group", "groups"),
    "label": ("group", "groups"),
}


@dataclass(frozen=True, kw_only=True)
class StateCount:
    tone: Tone
    text: str
    # "" where no filter finds the accounts.
    address: str


@dataclass(frozen=True, kw_only=True)
class AccountGroup:
    name: str
    flag: str
    count: AtLeast
    # "" where no filter finds the accounts.
    address: str
    states: Sequence[StateCount]
    oldest_synced_at: datetime | None


@dataclass(frozen=True, kw_only=True)
class AccountGroups:
    """The biggest groups."""

    groups: Sequence[AccountGroup]
    # How many there are, with those that are not shown.
    total: str
    # How many groups are not shown.
    more: str
    # How many accounts were counted if there are more; else None.
    counted: int | None
    # The keys of their labels.
    keys: Sequence[str]


class _Row(NamedTuple):
    """Accounts of one part that agree in all columns which decide their state."""

    part: str | None
    number: int
    values: tuple[Any, ...]


class _Found(NamedTuple):
    """The rows of the biggest groups, and how many accounts and groups there are. Accounts are counted up to a cap."""

    rows: Sequence[_Row] = ()
    accounts: int = 0
    groups: int = 0
    keys: Sequence[str] = ()


@dataclass
class _Tally:
    numbers: Counter[str] = field(default_factory=Counter)
    synced: list[datetime] = field(default_factory=list)


def describe_groups(
    user: User, state: AccountList, rows: Sequence[Account], count: Count, *, offers_teams: bool
) -> dict[str, Any]:
    """Return the menu "Group" and, if the accounts are grouped, the groups and their number.

    The menu offers the keys of the labels that the accounts have.
    """
    groups = group_accounts(user, state) if state.group and count.number else None
    keys = groups.keys if groups else sorted({key for row in rows for key in row.labels})
    titles = {name: title for name, title in GROUPINGS.items() if offers_teams or name != "team"}
    chosen = _read_key(state)
    titles |= {f"{LABEL_PREFIX}{key}": f"Label {key}" for key in [*keys[:MAX_KEYS_OFFERED], chosen] if key}
    menu = {
        "groupings": [
            (title, state.group_address(name), name == state.group)
            for name, title in {"": "Not grouped", **titles}.items()
        ],
        "grouped_by": chosen or GROUPINGS.get(state.group, ""),
    }
    if groups is None:
        return menu
    number = AtLeast(count.number, or_more=count.capped)
    return {
        **menu,
        "account_groups": groups,
        "place_text": f"{groups.total},",
        "place_of": str(number),
    }


def group_accounts(
    user: User, state: AccountList, *, cap: int = MAX_COUNT, max_groups: int = MAX_GROUPS
) -> AccountGroups:
    """Return the biggest groups of the accounts that match. Costs two queries, and one for names.

    Of more than `cap` accounts only so many are counted. Then there are at least as many as each number says.
    """
    kind = "label" if _read_key(state) else state.group
    found = _count(user, state, kind, cap, max_groups)
    connections = load_connections(state, {row.values[COLUMNS.index("connection_id")] for row in found.rows})
    tallies = _tally(found.rows, connections)
    names = _name_parts(user, kind, [part for part in tallies if part is not None], connections)
    is_cut = found.accounts > cap
    groups = [
        _describe(state, kind, part, names, tally, is_cut=is_cut)
        for part, tally in tallies.items()
        if part is None or part in names
    ]
    total, more = found.groups, found.groups - len(tallies)
    return AccountGroups(
        groups=groups,
        total=f"{AtLeast(total, or_more=is_cut).text} {NOUNS[kind][total != 1]}",
        more=f"{AtLeast(more, or_more=is_cut).text} more {NOUNS[kind][more != 1]}" if more else "",
        counted=cap if is_cut else None,
        keys=found.keys,
    )


def _read_key(state: AccountList) -> str:
    """Return the key of the label that the accounts are grouped by; "" if it is no label."""
    return state.group.removeprefix(LABEL_PREFIX) if state.group.startswith(LABEL_PREFIX) else ""


def _count(user: User, state: AccountList, kind: str, cap: int, max_groups: int) -> _Found:
    column, parts = PARTS[kind]
    accounts = state.accounts(user).order_by().values_list(*COLUMNS, "labels", column)
    try:
        matched, parameters = accounts[: cap + 1].query.sql_with_params()
    except EmptyResultSet:
        return _Found()
    more: list[Any] = [_read_key(state)] if kind == "label" else []
    where = ""
    if chosen := _list_chosen(state, kind):
        # Without this an account that was chosen by one country would stand in its other countries too, whose lists
        # have more accounts than were chosen.
        where, more = "WHERE own.part::text = ANY(%s)", [*more, chosen]
    columns = ", ".join(COLUMNS)
    with database.cursor() as cursor:
        cursor.execute(
            f"WITH matched ({columns}, labels, held) AS MATERIALIZED ({matched}),"  # noqa: S608 - SQL of Django's and of this module
            f" counted AS (SELECT own.part::text AS part, {columns}, count(*) AS number"
            f" FROM matched {parts} {where} GROUP BY part, {columns}),"
            " sized AS (SELECT *, sum(number) OVER (PARTITION BY part) AS size FROM counted),"
            " placed AS (SELECT *, dense_rank() OVER (ORDER BY size DESC, part) AS place FROM sized)"
            " SELECT (SELECT count(*) FROM matched), (SELECT max(place) FROM placed), ARRAY("
            "SELECT DISTINCT key FROM (SELECT jsonb_object_keys(labels) AS key FROM matched LIMIT %s) AS held_keys"
            " ORDER BY key),"
            f" part, number, {columns} FROM placed WHERE place <= %s ORDER BY place",
            [*parameters, *more, MAX_KEYS_READ, max_groups],
        )
        found = cursor.fetchall()
    if not found:
        return _Found()
    rows = [_Row(part, number, tuple(values)) for _, _, _, part, number, *values in found]
    return _Found(rows, *found[0][:3])


def _list_chosen(state: AccountList, kind: str) -> list[str]:
    match kind:
        case "connection":
            return [str(UUID(value)) for value in state.values(kind)]
        case "country":
            return state.values(kind)
        case _:
            # An account has one team, and one value for a key.
            return []


def _tally(rows: Sequence[_Row], connections: Mapping[UUID, Connection]) -> dict[str | None, _Tally]:
    """Return the numbers by reason of each part, in the order of the rows."""
    words: dict[str, tuple[str, datetime | None]] = {}
    tallies: dict[str | None, _Tally] = defaultdict(_Tally)
    for row in rows:
        # Rows of several parts have the same values. A list among them cannot be a key.
        key = str(row.values)
        if key not in words:
            account = build_account(row.values, connections)
            words[key] = (account.health_reason or NO_REASON, _find_sync(account))
        reason, synced = words[key]
        tally = tallies[row.part]
        tally.numbers[reason] += row.number
        if synced:
            tally.synced.append(synced)
    return dict(tallies)


def _find_sync(account: Account) -> datetime | None:
    """Return the last good sync of an account that is to be synced, by the rule of `find_oldest_sync`."""
    connection = account.connection
    is_synced = account.sync_off_reason is None and (connection.is_broken or not connection.reason_unusable)
    return account.last_synced_at if is_synced else None


def _name_parts(
    user: User, kind: str, parts: Sequence[str], connections: Mapping[UUID, Connection]
) -> dict[str, str]:
    """Return the names of the parts; of a connection only if the filter of the list would take it."""
    match kind:
        case "connection":
            # The connections that sync the accounts, and others that see them.
            names = {str(pk): connection.label for pk, connection in connections.items()}
            if others := set(parts) - set(names):
                found = Connection.objects.visible_to(user).filter(pk__in=others).values_list("pk", "label")
                names |= {str(pk): label for pk, label in found}
            return names
        case "team":
            return {str(pk): name for pk, name in Team.objects.filter(pk__in=parts).values_list("pk", "name")}
        case "country":
            return {part: COUNTRY_NAMES.get(part, part) for part in parts}
        case _:
            return {part: part or "(empty)" for part in parts}


def _describe(
    state: AccountList,
    kind: str,
    part: str | None,
    names: Mapping[str, str],
    tally: _Tally,
    *,
    is_cut: bool,
) -> AccountGroup:
    given = None if part is None else _filter_by(state, kind, part)
    key = _read_key(state)
    return AccountGroup(
        name=names[part] if part is not None else f"Without {key}" if key else "No marketplace",
        flag=draw_flag(part) if part and kind == "country" else "",
        count=AtLeast(tally.numbers.total(), or_more=is_cut),
        address=_write_address(state, given),
        states=[
            StateCount(
                tone=status.tone,
                text=f"{AtLeast(number, or_more=is_cut).text} {_say(status.word)}",
                address=_write_address(state, given and {**given, "health_reason": [reason]}),
            )
            for reason, status in REASON.items()
            if (number := tally.numbers[reason])
        ],
        oldest_synced_at=min(tally.synced, default=None),
    )


def _filter_by(state: AccountList, kind: str, part: str) -> dict[str, list[str]]:
    if kind != "label":
        return {**state.query.given, kind: [part]}
    labels = {**state.query.filters.get("labels", {}), _read_key(state): part}
    return {**state.query.given, "labels": write_labels(labels)}


def _write_address(state: AccountList, given: Mapping[str, list[str]] | None) -> str:
    return make_address(replace(state, group="").list_pairs(given)) if given else ""


def _say(word: str) -> str:
    # "OK" stays as it is.
    return word if word.isupper() else word.lower()
