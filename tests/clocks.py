"""A clock that is wrong in one process: a small library is preloaded, which reads how many seconds it is off."""

import shutil
import struct
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest
from django.utils import timezone

SOURCE = Path(__file__).with_name("clock.c")


def find_obstacle() -> str:
    """Why no clock can be set here; empty if it can."""
    if sys.platform != "linux":
        return "Only Linux preloads libraries as this needs it."
    return "" if shutil.which("cc") else "There is no C compiler."


needs_wrong_clocks = pytest.mark.skipif(bool(find_obstacle()), reason=find_obstacle() or "It can run.")


class Clock:
    """The clock of one process, which is right until it is set."""

    def __init__(self, folder: Path, name: str = "process") -> None:
        self._file = folder / f"{name}.clock"
        self.set(0)
        self._library = folder / "clock.so"
        if not self._library.exists():
            command = ["cc", "-shared", "-fPIC", "-O1", "-o", str(self._library), str(SOURCE), "-ldl"]
            subprocess.run(command, check=True)

    def set(self, seconds_off: float) -> None:
        # Written in place: the process has mapped the file.
        with self._file.open("r+b" if self._file.exists() else "wb") as file:
            file.write(struct.pack("d", seconds_off))

    def environment(self) -> dict[str, str]:
        return {"LD_PRELOAD": str(self._library), "CLOCK_OFFSET_FILE": str(self._file)}


@pytest.fixture(params=[-1, 1], ids=["an hour slow", "an hour fast"])
def wrong_clock(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever asks Django for the time is told a wrong one. The database's clock stays right."""
    right = timezone.now
    monkeypatch.setattr(timezone, "now", lambda: right() + timedelta(hours=request.param))
