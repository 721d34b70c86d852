"""Lines of the activity: entries of one kind beside each other are one line, such as "25 logins refused by Amazon"."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Final

from django.utils import timezone

from dashboard.activity.entries import Entry
from dashboard.activity.kinds import WORDS

# So many entries become one line.
MIN_FOLDED: Final = 3
MAX_NAMED: Final = 3
# How many entries a line unfolds to.
MAX_UNFOLDED: Final = 20
MAX_COUNTED: Final = 10_000

SYNC_WORDS: Final = {"sync.failed": "could not be synced", "sync.partial": "were synced in part"}


@dataclass(frozen=True)
class Line:
    entries: list[Entry]
    # Entries of the line that were counted and not read.
    uncounted: int = 0

    @property
    def first(self) -> Entry:
        return self.entries[0]

    @property
    def is_folded(self) -> bool:
        return len(self.entries) >= MIN_FOLDED

    @property
    def number(self) -> str:
        number = len(self.entries) + self.uncounted
        total = f"{MAX_COUNTED:,}+" if self.uncounted > MAX_COUNTED else f"{number:,}"
        noun = "accounts" if self.first.fold.startswith("account.") else "logins"
        return f"{total} {noun}"

    @property
    def text(self) -> str:
        fold_key = self.first.fold
        return SYNC_WORDS.get(fold_key) or WORDS[fold_key].many

    @property
    def names(self) -> str:
        names = list(dict.fromkeys(entry.name for entry in self.entries))
        rest = len(self.entries) + self.uncounted - MAX_NAMED
        if rest <= 0 or len(names) <= MAX_NAMED:
            return ", ".join(names[:MAX_NAMED])
        return (
            f"{', '.join(names[:MAX_NAMED])} and {rest:,}{'+' if self.uncounted > MAX_COUNTED else ''} more"
        )

    @property
    def unfolded(self) -> list[Entry]:
        return self.entries[:MAX_UNFOLDED]

    def with_more(self, number: int) -> "Line":
        return replace(self, uncounted=number)


def fold(entries: Iterable[Entry]) -> list[Line]:
    lines = []
    for (key, _), group in groupby(entries, key=_find_line):
        found = list(group)
        folds = bool(key) and len(found) >= MIN_FOLDED
        lines += [Line(found)] if folds else [Line([entry]) for entry in found]
    return lines


def _find_line(entry: Entry) -> tuple[str, object]:
    return entry.fold, timezone.localdate(entry.moment)
