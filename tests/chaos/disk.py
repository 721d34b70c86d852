"""A small disk for the tables of the database, which can be full. Only root may mount it."""

import contextlib
import os
import subprocess
import sys
from pathlib import Path

from amazon_accounts.starter.unprivileged import UNPRIVILEGED_ID

SIZE_MB = 800


def find_obstacle() -> str:
    """Why no small disk can be mounted here; empty if it can."""
    if sys.platform != "linux" or os.geteuid() != 0:
        return "only root may mount a small disk, on Linux"
    return ""


class Disk:
    def __init__(self, folder: Path) -> None:
        self._mounted = folder / "disk"
        self._mounted.mkdir()
        subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={SIZE_MB}m", "tmpfs", self._mounted],
            check=True,
            capture_output=True,
        )
        self.tables = self._mounted / "tables"
        self.tables.mkdir()
        os.chown(self.tables, UNPRIVILEGED_ID, UNPRIVILEGED_ID)
        self._mounted.chmod(0o755)
        self._ballast = self._mounted / "ballast"

    def fill(self) -> None:
        """Take what is free. PostgreSQL gives pages back when it undoes a transaction, so once is not enough."""
        with contextlib.suppress(OSError), self._ballast.open("ab", buffering=0) as file:
            while True:
                file.write(bytes(4096))

    def free(self) -> None:
        self._ballast.unlink(missing_ok=True)

    def unmount(self) -> None:
        subprocess.run(["umount", "--lazy", self._mounted], check=False, capture_output=True)
