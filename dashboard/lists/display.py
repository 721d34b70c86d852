"""What a person has chosen to see of the list of accounts: table or cards, columns, rows on a page.

The address says it, and a cookie keeps the last choice.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from django.http import HttpRequest, QueryDict

from amazon_accounts.web.cookies import name_cookie

VIEWS = ("table", "cards")
PAGE_SIZES = (25, 50, 100, 250)
DEFAULT_PAGE_SIZE = 50
# The columns beside the name and the state, in the order of the table.
COLUMNS: Mapping[str, str] = {
    "status": "Status",
    "marketplaces": "Marketplaces",
    "type": "Type",
    "team": "Team",
    "labels": "Labels",
    "connection": "Connection",
    "id": "Amazon's id",
    "sync": "Last sync",
}
# The team is shown to people who see more than one.
DEFAULT_COLUMNS = ("marketplaces", "type", "team", "labels", "connection", "sync")
COOKIES: Mapping[str, str] = {
    "view": "accounts-view",
    "page_size": "accounts-page-size",
    "columns": "accounts-columns",
}


@dataclass(frozen=True)
class Display:
    view: str = VIEWS[0]
    page_size: int = DEFAULT_PAGE_SIZE
    columns: tuple[str, ...] = DEFAULT_COLUMNS

    @classmethod
    def read(cls, request: HttpRequest, parameters: QueryDict) -> "Display":
        kept = {name: request.COOKIES.get(name_cookie(cookie)) for name, cookie in COOKIES.items()}
        view = parameters.get("view") or kept["view"]
        columns = parameters.get("columns") or kept["columns"]
        return cls(
            view if view in VIEWS else cls.view,
            # The size in the address is the list's to read.
            next((size for size in PAGE_SIZES if str(size) == kept["page_size"]), cls.page_size),
            read_columns(columns) if columns else cls.columns,
        )

    def choices(self, parameters: QueryDict) -> dict[str, str]:
        """Return what the address chooses, for the cookies."""
        chosen = {
            "view": self.view if parameters.get("view") == self.view else "",
            "page_size": next(
                (str(size) for size in PAGE_SIZES if str(size) == parameters.get("page_size")), ""
            ),
            "columns": write_columns(self.columns) if parameters.get("columns") else "",
        }
        return {COOKIES[name]: value for name, value in chosen.items() if value}


DEFAULT = Display()


def read_columns(text: str) -> tuple[str, ...]:
    named = set(text.split("."))
    return tuple(name for name in COLUMNS if name in named)


def write_columns(columns: tuple[str, ...]) -> str:
    # Without any column, the text must still be one: an empty parameter is dropped.
    return ".".join(columns) or "none"
