"""The state of a page with a list. The address holds all of it, under the parameter names of the API.

The page ignores unknown parameters, because people edit addresses and keep old bookmarks. It shows which filters cannot
be used, and refuses an operation on "all that match" while there is such a filter.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, Self
from urllib.parse import urlencode

from django.http import QueryDict

from accounts.lists.parameters import ListQuery
from dashboard.lists.display import DEFAULT_PAGE_SIZE

MAX_PLACE = 10_000_000


@dataclass(frozen=True)
class ListState:
    """What a page was asked to show. Each list has a class of its own."""

    query: ListQuery
    # The place of the first row in the list; None if the address does not say it.
    place: int | None = 1

    filters: ClassVar[Sequence[str]]
    default_ordering: ClassVar[str]

    @property
    def errors(self) -> list[str]:
        return [f"{name}: {text}" for name, text in self.query.errors.items() if name in self.filters]

    def typed(self, name: str) -> str:
        # A field shows what a person typed, even if the filter cannot be used.
        return next(iter(self.query.rejected.get(name) or self.query.given.get(name) or ()), "")

    def values(self, name: str) -> list[str]:
        return self.query.given.get(name, [])

    @property
    def is_filtered(self) -> bool:
        return bool(self.query.given) or bool(self.errors)

    @property
    def cursor(self) -> str:
        return self.query.cursor

    @property
    def ordering(self) -> str:
        return self.query.ordering

    def without(self, *names: str) -> Self:
        return replace(self, query=self.query.without(*names))

    def toggle_address(self, name: str, value: str) -> str:
        # The cursor is left out: another choice begins at its first page.
        others = [each for each in self.values(name) if each != value]
        values = others if value in self.values(name) else [*self.values(name), value]
        return make_address(self.list_pairs({**self.query.given, name: values}))

    def sort_address(self, ordering: str) -> str:
        return make_address(self.list_pairs(self.query.given, ordering=ordering))

    def page_address(self, cursor: str = "") -> str:
        return make_address([*self.list_pairs(self.query.given), *([("cursor", cursor)] if cursor else [])])

    def place_address(self, cursor: str, place: int | None) -> str:
        address = self.page_address(cursor)
        return f"{address}&from={place}" if place else address

    def size_address(self, size: int) -> str:
        pairs = [pair for pair in self.list_pairs(self.query.given) if pair[0] != "page_size"]
        return make_address([*pairs, ("page_size", str(size))])

    @property
    def page_size(self) -> int:
        return self.query.page_size or DEFAULT_PAGE_SIZE

    @property
    def filter_query(self) -> str:
        """The filters, usable or not, as a query string. This is what "all that match" means."""
        rejected = {name: values for name, values in self.query.rejected.items() if name in self.filters}
        return urlencode({**self.query.given, **rejected}, doseq=True)

    @property
    def hidden_inputs(self) -> list[tuple[str, str]]:
        # A search keeps all parameters but the old search text.
        return [pair for pair in self.list_pairs(self.query.given) if pair[0] != "search"]

    def list_pairs(self, given: Mapping[str, list[str]], *, ordering: str = "") -> list[tuple[str, str]]:
        """Return the parameters of an address with these filters; what a list shows by itself is left out."""
        pairs = [(name, value) for name, values in given.items() for value in values]
        ordering = ordering or self.ordering
        if ordering != self.default_ordering:
            pairs.append(("ordering", ordering))
        return [*pairs, *self.list_more_pairs()]

    def list_more_pairs(self) -> list[tuple[str, str]]:
        return [("page_size", str(self.query.page_size))] if self.query.page_size else []


def read_place(parameters: QueryDict, cursor: str) -> int | None:
    if not cursor:
        return 1
    text = parameters.get("from", "")
    return min(int(text), MAX_PLACE) if text.isascii() and text.isdecimal() and len(text) < 12 else None


def make_address(pairs: list[tuple[str, str]]) -> str:
    return f"?{urlencode(pairs)}"


@dataclass(frozen=True, kw_only=True)
class SortLink:
    title: str
    address: str
    current: bool
    descending: bool


def sort_links(state: ListState, titles: Mapping[str, str]) -> list[SortLink]:
    """Return the links that sort the list. `titles` has the ordering of the first press; the second is the opposite."""
    links = []
    for ordering, title in titles.items():
        opposite = ordering.removeprefix("-") if ordering.startswith("-") else f"-{ordering}"
        links.append(
            SortLink(
                title=title,
                address=state.sort_address(opposite if state.ordering == ordering else ordering),
                current=state.ordering in {ordering, opposite},
                descending=state.ordering.startswith("-"),
            )
        )
    return links
