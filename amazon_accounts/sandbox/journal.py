"""The calls to the sandbox Amazon and their answers. Tokens appear as fingerprints only."""

from collections import Counter, deque
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, fields
from typing import Any

MAX_ENTRIES = 200_000


@dataclass(frozen=True)
class Entry:
    #: When the request arrived, by the sandbox's clock.
    time: float
    #: Seconds until the answer was complete.
    seconds: float
    area: str
    method: str
    path: str
    query: dict[str, str]
    region: str | None
    login: str | None
    client_id: str
    #: `Amazon-Advertising-API-Scope`.
    scope: str
    #: `Amazon-Ads-AccountId`.
    ads_account_id: str
    status: int
    request_id: str
    token_fingerprint: str
    #: The state of the token when the request arrived: "none", "unknown", "expired" or "valid".
    credential: str
    grant_type: str
    #: Names of the faults that hit the call.
    faults: tuple[str, ...]

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


class Journal:
    """The last MAX_ENTRIES entries, oldest first."""

    def __init__(self) -> None:
        self._entries: deque[Entry] = deque(maxlen=MAX_ENTRIES)
        self.total = 0

    def __iter__(self) -> Iterator[Entry]:
        return iter(list(self._entries))

    def __len__(self) -> int:
        return len(self._entries)

    def write(self, entry: Entry) -> None:
        self._entries.append(entry)
        self.total += 1

    def clear(self) -> None:
        self._entries.clear()
        self.total = 0

    def entries(self, **criteria: object) -> list[Entry]:
        """The entries with these values: `entries(path="/v2/profiles", status=429)`."""
        _check_fields(criteria)
        return [
            entry
            for entry in self
            if all(str(getattr(entry, name)) == str(value) for name, value in criteria.items())
        ]

    def count(self, **criteria: object) -> int:
        return len(self.entries(**criteria))

    def counts(self, by: Iterable[str] = ("area", "path", "status")) -> Counter[tuple[Any, ...]]:
        names = list(by)
        _check_fields(names)
        return Counter(tuple(getattr(entry, name) for name in names) for entry in self)


def _check_fields(names: Iterable[str]) -> None:
    known = [field.name for field in fields(Entry)]
    for name in names:
        if name not in known:
            raise ValueError(f"No field is called {name!r}; there are {', '.join(known)}.")
