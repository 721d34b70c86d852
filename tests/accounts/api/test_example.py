"""The example in the documentation runs as it stands there."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from pytest_django.live_server_helper import LiveServer

from accounts.models import Account
from tests.accounts.conftest import AccountFactory
from tests.api_keys import new_key
from tests.processes import running

EXAMPLE = Path(__file__).resolve().parents[3] / "docs" / "example.py"


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_the_example_runs(
    live_server: LiveServer, alice: User, new_account: AccountFactory, tmp_path: Path, settings: Any
) -> None:
    settings.ALLOWED_HOSTS = ["*"]
    settings.PUBLIC_URL = live_server.url
    for name in ("Garden", "Kitchen"):
        new_account(alice, name, sync_enabled=False)
    environment = os.environ | {
        "CONSOLE_URL": live_server.url,
        "CONSOLE_TOKEN": new_key(alice),
    }
    with running("runworker", log=tmp_path / "worker.log") as worker:
        found = subprocess.run(
            [sys.executable, EXAMPLE],
            env=environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert found.returncode == 0, found.stderr + worker.output()
    lines = found.stdout.splitlines()
    assert [line.split()[-1] for line in lines[:2]] == ["Garden", "Kitchen"]
    assert lines[-1] == "succeeded, 0 succeeded, 0 failed, 2 skipped"
    assert Account.objects.filter(status="active").count() == 2
