"""The running API against its own description: schemathesis finds nothing, in bounded time."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from pytest_django.live_server_helper import LiveServer

from accounts.batch import start_batch
from accounts.models import SyncRun
from tests.accounts.conftest import AccountFactory, person
from tests.api_keys import new_key

EXAMPLES = 5  # of each operation
# What is well formed is not always there: cursors, and ids of what exists, nobody can make up.
UNPROVABLE = "positive_data_acceptance"


@pytest.fixture
def token(transactional_db: None, new_account: AccountFactory) -> str:
    """Of an administrator who has some of everything."""
    user: User = person("admin", "Administrator")
    for number in range(3):
        account = new_account(user, f"Shop {number}", countries=["DE"], labels={"team": "north"})
    start_batch(user, "sync", filters={})
    SyncRun.objects.create(connection=account.connection, trigger="manual")
    return new_key(user)


# Other tests cover the same code, and measuring makes the many requests slow.
@pytest.mark.no_cover
@pytest.mark.slow
@pytest.mark.timeout(300)
def test_it_does_what_its_description_says(
    live_server: LiveServer, token: str, tmp_path: Path, settings: Any
) -> None:
    # The document names the server that the requests go to.
    settings.PUBLIC_URL = live_server.url
    found = subprocess.run(
        [
            *(sys.executable, "-m", "schemathesis.cli", "run", f"{live_server.url}/api/v1/schema/"),
            *("--header", f"Authorization: Token {token}"),
            *("--checks", "all", "--exclude-checks", UNPROVABLE),
            *("--phases", "examples,coverage,fuzzing", "--max-examples", str(EXAMPLES), "--seed", "1"),
            *("--continue-on-failure", "--suppress-health-check", "all", "--warnings", "off"),
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=280,
    )
    assert found.returncode == 0, found.stdout[-8000:] + found.stderr[-2000:]
