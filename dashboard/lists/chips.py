"""The chips above a list: the choices of a filter, with the number of rows that each would show."""

from dataclasses import dataclass

from dashboard.status import Status


@dataclass(frozen=True, kw_only=True)
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
