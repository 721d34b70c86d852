"""The headings of a list, what its menu "Display" offers, and the place of a page in the list."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from accounts.lists.pages import Count, Page
from dashboard.lists.account_list import AccountList
from dashboard.lists.display import COLUMNS, PAGE_SIZES, VIEWS
from dashboard.lists.state import ListState, SortLink, sort_links

# The first press of a heading sorts like this, the second the other way round.
SORT_TITLES = {"name": "Name", "-last_synced_at": "Last sync", "status": "Status"}
COLUMN_OF_SORT = {"Name": "account", "Last sync": "sync", "Status": "status"}


@dataclass(frozen=True)
class Heading:
    name: str
    title: str
    sort: SortLink | None


@dataclass(frozen=True)
class Choice:
    title: str
    address: str
    current: bool


@dataclass(frozen=True)
class Choices:
    name: str
    title: str
    choices: Sequence[Choice]


def describe_table(state: AccountList, *, shows_teams: bool) -> dict[str, Any]:
    """Return the headings, and the groups of the menu "Display"."""
    sorts = sort_links(state, SORT_TITLES)
    by_column = {COLUMN_OF_SORT[link.title]: link for link in sorts}
    offered = [name for name in COLUMNS if shows_teams or name != "team"]
    columns = [name for name in offered if name in state.display.columns]
    titles = {"account": "Account", "state": "State", **{name: COLUMNS[name] for name in columns}}
    groups = [
        Choices(
            "view",
            "Show as",
            [
                Choice(view.capitalize(), state.view_address(view), view == state.display.view)
                for view in VIEWS
            ],
        ),
        *offer_order_and_size(state, sorts),
    ]
    if state.display.view == "table":
        chosen = [Choice(COLUMNS[name], state.columns_address(name), name in columns) for name in offered]
        groups.append(Choices("columns", "Columns", chosen))
    return {
        "columns": columns,
        "headings": [Heading(name, title, by_column.get(name)) for name, title in titles.items()],
        "display_groups": groups,
    }


def offer_order_and_size(state: ListState, sorts: Sequence[SortLink], *, base: str = "") -> list[Choices]:
    sizes = [
        Choice(f"{size}", base + state.size_address(size), size == state.page_size) for size in PAGE_SIZES
    ]
    orders = [Choice(_name_sort(link), base + link.address, link.current) for link in sorts]
    return [Choices("sort", "Sort by", orders), Choices("rows", "Rows on a page", sizes)]


def _name_sort(link: SortLink) -> str:
    return f"{link.title} {'↓' if link.descending else '↑'}" if link.current else link.title


def describe_place(
    state: ListState, rows: Page[Any], count: Count, *, things: str = "accounts", base: str = ""
) -> dict[str, Any]:
    """Return the place of the page in the list, and the links to the pages beside it."""
    number, first = len(rows.items), state.place
    count_text = f"{count.number:,}{'+' if count.capped else ''}"
    after = first + number if first else None
    before = max(1, first - state.page_size) if first else None
    return {
        "count_text": count_text,
        "place_text": f"{first:,}–{first + number - 1:,}" if first and number else f"{number:,}",
        "place_of": f"of {count_text}" if number else things,
        "next": rows.next_cursor and base + state.place_address(rows.next_cursor, after),
        "previous": rows.previous_cursor and base + state.place_address(rows.previous_cursor, before),
        "first": base + state.page_address(),
    }
