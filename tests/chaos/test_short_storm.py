"""The short storm of faults. `make chaos` runs the long one, which writes docs/chaos.md."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[2]


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_every_promise_is_kept_in_the_short_storm() -> None:
    # What the tests set for themselves is not for the storm, which has a database of its own.
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(("COVERAGE_", "DJANGO_"))
    }
    storm = subprocess.run(
        [sys.executable, "-m", "tests.chaos", "--short"],
        cwd=PROJECT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert storm.returncode == 0, storm.stdout + storm.stderr[-5000:]
