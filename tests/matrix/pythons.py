"""Interpreters of this machine, and virtual environments of them with the project's packages."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
UV = Path(sys.executable).parent / "uv"
NEWEST_DJANGO = "Django>=6.1"


class NotToBeHadError(Exception):
    """This version cannot be had on this machine. The message says why."""


@dataclass(frozen=True)
class Environment:
    python: Path
    python_version: str
    django_version: str


def make_environment(folder: Path, python: str, django: str = "") -> Environment:
    """Install the pinned packages for this version of Python. `django` takes the place of the pinned Django.

    Raises NotToBeHadError.
    """
    interpreter = find_interpreter(python)
    environment = folder / f"python-{python}{'-' if django else ''}{django.partition('>')[0].lower()}"
    _run(str(UV), "venv", "--quiet", "--clear", "--python", str(interpreter), str(environment))
    program = environment / "bin" / "python"
    if django:
        override = folder / "override.txt"
        override.write_text(f"{django}\n")
        # The hash of another Django is in no file.
        options = ["--override", str(override), "--no-verify-hashes"]
    else:
        options = ["--require-hashes"]
    _run(
        str(UV), "pip", "install", "--quiet", "--python", str(program), *options,
        "--requirement", str(PROJECT / "requirements-dev.txt"),
    )  # fmt: skip
    versions = _run(
        str(program), "-c", "import django, platform; print(platform.python_version(), django.__version__)"
    )
    return Environment(program, *versions.split())


def find_interpreter(version: str) -> Path:
    """Return the first interpreter of this version that runs. Raises NotToBeHadError."""
    for candidate in _list_candidates(version):
        # pyenv puts a script by this name on the path for versions that are not chosen; it only complains.
        if subprocess.run([candidate, "--version"], capture_output=True, check=False).returncode == 0:
            return candidate
    raise NotToBeHadError(f"there is no python{version} on the path or in pyenv")


def _list_candidates(version: str) -> Iterator[Path]:
    if found := shutil.which(f"python{version}"):
        yield Path(found)
    root = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    yield from sorted(root.glob(f"versions/{version}.*/bin/python"))


def _run(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise NotToBeHadError(f"{Path(command[0]).name} {command[1]} failed: {done.stderr.strip()[-500:]}")
    return done.stdout
