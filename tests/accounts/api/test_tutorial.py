"""Every block of docs/tutorial.md runs as it stands there, one after another."""

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from pytest_django.live_server_helper import LiveServer

from accounts.models import Account
from tests.processes import PROJECT, environment, eventually, run, running
from tests.sandbox_fixtures import SandboxServer
from tests.teams import set_role
from tokens.people.roles import Role

TUTORIAL = PROJECT / "docs" / "tutorial.md"
BLOCK = re.compile(r"^```sh\n(.*?)^```", flags=re.DOTALL | re.MULTILINE)


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif(shutil.which("curl") is None, reason="there is no curl")
def test_the_tutorial_runs(
    live_server: LiveServer, sandbox_server: SandboxServer, tmp_path: Path, settings: Any
) -> None:
    settings.ALLOWED_HOSTS = ["*"]
    settings.PUBLIC_URL = live_server.url
    admin = User.objects.create_superuser("admin")
    set_role(admin, Role.ADMINISTRATOR)
    # A person does the second step in a browser, as tests/browser/test_connecting.py does.
    connected = run(
        "connect",
        *("--owner", "admin", "--label", "Garden shop"),
        stdin=sandbox_server.sandbox.refresh_token("bob") + "\n",
    )
    assert connected.returncode == 0, connected.stderr
    blocks = BLOCK.findall(TUTORIAL.read_text())
    script = "\n".join(blocks).replace("http://localhost:8000", live_server.url)
    with running("runworker", log=tmp_path / "worker.log"):
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", script],
            cwd=PROJECT,
            env=environment(HOME=os.environ.get("HOME", "/")),
            capture_output=True,
            text=True,
            timeout=110,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        active = Account.objects.filter(status=Account.Status.ACTIVE)
        eventually(lambda: not active.exclude(labels={"brand": "garden", "season": "summer"}).exists())
    assert active.exists()
    assert "2 seen, 2 created" in done.stdout
    assert '"labels":{"brand": "garden"}' in done.stdout
    assert "Atza|" in done.stdout
