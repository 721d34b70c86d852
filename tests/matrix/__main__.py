"""`python -m tests.matrix`: run the suite's core on every version of PostgreSQL, Python and Django that can be had.

What cannot be had is named as SKIPPED. The status is 1 if a test failed.
"""

import argparse
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

from tests.matrix.pythons import (
    NEWEST_DJANGO,
    PROJECT,
    Environment,
    NotToBeHadError,
    find_interpreter,
    make_environment,
)
from tests.matrix.servers import find_server, read_version, run_server

OLDEST_PYTHON, PYTHONS = "3.11", ("3.11", "3.12", "3.13", "3.14")
NEWEST_POSTGRESQL, POSTGRESQLS = 18, (14, 15, 16, 17, 18)
# What depends most on PostgreSQL, Django or Python: statements, constraints, lists, a sync, refreshes, the admin and mail.
CORE = (
    "tests/postgresql",
    "tests/accounts/models",
    "tests/accounts/lists/test_filters.py",
    "tests/accounts/lists/test_pages.py",
    "tests/accounts/lists/test_connection_list.py",
    "tests/accounts/sync/test_sync.py",
    "tests/accounts/sync/test_merge.py",
    "tests/accounts/batch/test_changes.py",
    "tests/accounts/api/test_health.py",
    "tests/tokens/models",
    "tests/tokens/refresh/test_due.py",
    "tests/tokens/refresh/test_outcomes.py",
    "tests/dashboard/test_admin.py",
    "tests/dashboard/test_overview.py",
    "tests/outgoing/test_mail.py",
)
BEGIN, END = "<!-- matrix -->\n", "<!-- /matrix -->"


@dataclass(frozen=True)
class Combination:
    python: str
    postgresql: int
    django: str = ""

    @property
    def name(self) -> str:
        """The name by what is not the default."""
        if self.django:
            return "django-6"
        if self.python != OLDEST_PYTHON:
            return f"python-{self.python}"
        return f"postgresql-{self.postgresql}"


@dataclass(frozen=True)
class Row:
    name: str
    versions: tuple[str, str, str]
    result: str
    failed: bool = False


def main() -> int:
    options = _read_options()
    folder = PROJECT / "var" / "matrix"
    folder.mkdir(parents=True, exist_ok=True)
    if options.quick:
        return check_newest(folder)
    combinations = [each for each in list_combinations() if not options.only or each.name in options.only]
    rows = []
    for combination in combinations:
        try:
            row = try_combination(combination, folder)
        except NotToBeHadError as error:
            row = Row(combination.name, ("", "", ""), f"SKIPPED: {error}")
        rows.append(row)
        _say(row.name, *row.versions, row.result)
    if options.report:
        write_table(Path(options.report), rows)
    return int(any(row.failed for row in rows))


def list_combinations() -> list[Combination]:
    return [
        *(Combination(OLDEST_PYTHON, major) for major in POSTGRESQLS),
        *(Combination(python, NEWEST_POSTGRESQL) for python in PYTHONS[1:]),
        Combination(find_newest_python(), NEWEST_POSTGRESQL, NEWEST_DJANGO),
    ]


def find_newest_python() -> str:
    for version in reversed(PYTHONS):
        try:
            find_interpreter(version)
        except NotToBeHadError:
            continue
        return version
    raise NotToBeHadError("there is no Python")


def try_combination(combination: Combination, folder: Path) -> Row:
    programs = find_server(combination.postgresql, folder)
    environment = make_environment(folder, combination.python, combination.django)
    versions = (read_version(programs), environment.python_version, environment.django_version)
    data_dir = folder / "data"
    with run_server(programs, data_dir):
        return run_core(combination.name, versions, environment, data_dir)


def run_core(name: str, versions: tuple[str, str, str], environment: Environment, data_dir: Path) -> Row:
    report = data_dir.parent / f"{name}.xml"
    report.unlink(missing_ok=True)
    started = time.monotonic()
    with report.with_suffix(".log").open("wb") as log:
        status = subprocess.run(
            [
                environment.python, "-m", "pytest", "-n", "2", "--dist", "loadgroup", "--reruns", "1", "-q",
                "-p", "no:cacheprovider", f"--junitxml={report}", *CORE,
            ],
            cwd=PROJECT, env=_environment(data_dir), stdout=log, stderr=log, check=False,
        ).returncode  # fmt: skip
    minutes = f"{(time.monotonic() - started) / 60:.1f} min"
    if not report.exists():
        return Row(name, versions, f"did not run; see {report.with_suffix('.log')}", failed=True)
    suite = ElementTree.parse(report).getroot()[0]  # noqa: S314 - pytest wrote it
    tests, skipped = int(suite.attrib["tests"]), int(suite.attrib["skipped"])
    failed = int(suite.attrib["failures"]) + int(suite.attrib["errors"])
    result = f"{tests - failed - skipped} passed, {failed} failed, {skipped} skipped, {minutes}"
    return Row(name, versions, result, failed=status != 0)


def check_newest(folder: Path) -> int:
    """The short part: the newest Python and Django import the project, check it and have no migration to make."""
    data_dir = folder / "quick"
    try:
        environment = make_environment(folder, find_newest_python(), NEWEST_DJANGO)
    except NotToBeHadError as error:
        _say("SKIPPED the newest Python and Django:", str(error))
        return 0
    _say(f"Python {environment.python_version}, Django {environment.django_version}")
    with temporary(data_dir):
        for command in (
            ["makemigrations", "--check", "--dry-run"],
            ["check", "--database", "default", "--fail-level", "WARNING"],
        ):
            arguments = [str(environment.python), "manage.py", *command]
            if status := subprocess.run(
                arguments, cwd=PROJECT, env=_environment(data_dir), check=False
            ).returncode:
                return status
    return 0


@contextmanager
def temporary(folder: Path) -> Iterator[None]:
    try:
        yield
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def write_table(path: Path, rows: list[Row]) -> None:
    """Put the table between the marks of the page."""
    before, _, rest = path.read_text().partition(BEGIN)
    lines = ["| run | PostgreSQL | Python | Django | result |", "| --- | --- | --- | --- | --- |"]
    lines += [f"| {row.name} | {' | '.join(row.versions)} | {row.result} |" for row in rows]
    path.write_text(before + BEGIN + "\n".join(lines) + "\n" + END + rest.partition(END)[2])


def _environment(data_dir: Path) -> dict[str, str]:
    # What names another database is not for these runs.
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith(("DATABASE_", "DJANGO_"))
    }
    return {**kept, "DATA_DIR": str(data_dir)}


def _read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.matrix", description=__doc__)
    parser.add_argument(
        "--only", nargs="+", metavar="RUN", help="such as postgresql-14, python-3.13 or django-6"
    )
    parser.add_argument("--quick", action="store_true", help="import and check with the newest versions only")
    parser.add_argument("--report", metavar="FILE", help="put the table into this page")
    return parser.parse_args()


def _say(*words: str) -> None:
    sys.stdout.write(" ".join(word for word in words if word) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
