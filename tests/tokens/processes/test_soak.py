import os
import subprocess
import sys

import pytest

from tests.ports import free_port
from tests.processes import PROJECT


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_no_token_expires_though_everything_dies() -> None:
    """The soak in short: `python -m tests.soak` runs for ten minutes."""
    options = {
        "--seconds": 36,
        "--connections": 30,
        "--kill-every": 12,
        "--postgres-restarts": 1,
        "--port": free_port(),
    }
    result = subprocess.run(
        [sys.executable, "-m", "tests.soak", *(str(part) for option in options.items() for part in option)],
        cwd=PROJECT,
        env={name: value for name, value in os.environ.items() if not name.startswith("DJANGO")},
        capture_output=True,
        text=True,
        timeout=220,
        check=False,
    )
    assert result.returncode == 0, result.stdout + result.stderr[-5000:]
