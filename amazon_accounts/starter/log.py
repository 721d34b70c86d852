"""One log for all processes: each line names its process, in aligned columns."""

import contextlib
import sys
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TextIO

from amazon_accounts.visible_text import escape_line

# Readable on dark and light terminals: cyan, green, yellow, magenta, blue.
COLOURS = (36, 32, 33, 35, 34)


class Log:
    """Writes whole lines from any thread. A closed stream is ignored, so that the processes go on."""

    def __init__(self, names: Iterable[str], stream: TextIO = sys.stderr) -> None:
        self._names = list(names)
        self._stream = stream
        self._lock = threading.Lock()

    def write(self, name: str, text: str) -> None:
        with self._lock, contextlib.suppress(OSError):
            self._stream.write(f"{self._prefix(name)} {escape_line(text)}\n")
            self._stream.flush()

    def _prefix(self, name: str) -> str:
        prefix = f"{name:<{max(map(len, self._names))}} |"
        if not self._stream.isatty():
            return prefix
        return f"\x1b[{COLOURS[self._names.index(name) % len(COLOURS)]}m{prefix}\x1b[0m"


class LogFile:
    """A file that another process writes. Lines from before this object was made are left out."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._position = path.stat().st_size if path.exists() else 0

    def new_lines(self) -> Iterator[str]:
        size = self._path.stat().st_size if self._path.exists() else 0
        if size == self._position:
            return
        # A smaller file is a new file: the other process starts a new one when the old one is too large.
        start = self._position if size > self._position else 0
        with self._path.open("rb") as file:
            file.seek(start)
            text = file.read()
        whole = text[: text.rfind(b"\n") + 1]
        self._position = start + len(whole)
        # Not splitlines(), which takes more characters for line breaks than PostgreSQL does.
        yield from whole.decode(errors="replace").split("\n")[:-1]
