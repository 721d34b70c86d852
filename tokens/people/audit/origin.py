"""From where the running code was asked: by a request, by a command, or by the console itself."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass


@dataclass
class Origin:
    """What an entry says besides the person. One object serves a request in all its threads."""

    address: str | None = None
    command: str = ""
    # Noted when the request has shown its API key.
    key_id: str = ""
    key_name: str = ""


_origin: ContextVar[Origin | None] = ContextVar("origin", default=None)


@contextmanager
def come_from(origin: Origin) -> Iterator[None]:
    token = _origin.set(origin)
    try:
        yield
    finally:
        _origin.reset(token)


def get_origin() -> Origin:
    """Return where the running code was asked from; without anything if the console itself does it."""
    return _origin.get() or Origin()


def note_key(key_id: str, name: str) -> None:
    """Note by which API key the running request was authenticated."""
    if (origin := _origin.get()) is not None:
        origin.key_id, origin.key_name = key_id, name
