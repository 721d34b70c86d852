from collections.abc import Iterator

import pytest

from tokens.signals import connection_changed


@pytest.fixture
def changes() -> Iterator[list[str]]:
    received: list[str] = []

    def listener(change: str, **_: object) -> None:
        received.append(change)

    connection_changed.connect(listener)
    yield received
    connection_changed.disconnect(listener)
