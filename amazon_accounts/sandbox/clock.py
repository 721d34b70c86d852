"""The time at the sandbox Amazon: the real time until a test moves or stops the clock."""

import time
from datetime import UTC, datetime


class Clock:
    def __init__(self) -> None:
        self._offset = 0.0
        self._frozen_at: float | None = None

    def now(self) -> float:
        if self._frozen_at is not None:
            return self._frozen_at
        return time.time() + self._offset

    def moment(self) -> datetime:
        return datetime.fromtimestamp(self.now(), UTC)

    def advance(self, seconds: float) -> None:
        """Move the clock forward, or back by a negative number."""
        if self._frozen_at is not None:
            self._frozen_at += seconds
        else:
            self._offset += seconds

    def set(self, moment: float) -> None:
        self.advance(moment - self.now())

    def freeze(self) -> None:
        self._frozen_at = self.now()

    def run(self) -> None:
        """Let a frozen clock go on from its time."""
        if self._frozen_at is not None:
            self._offset = self._frozen_at - time.time()
            self._frozen_at = None

    @property
    def is_frozen(self) -> bool:
        return self._frozen_at is not None

    def reset(self) -> None:
        self._offset = 0.0
        self._frozen_at = None
