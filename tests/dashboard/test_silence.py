"""The web process beside a database that falls silent."""

import contextlib
import http.client
import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.half_open_proxy import HalfOpenProxy
from tests.ports import free_port
from tests.processes import PROJECT, environment, eventually

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]


class Web:
    def __init__(self, log: Path, **extra: str) -> None:
        self.log = log
        self.port = free_port()
        with log.open("wb") as file:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "amazon_accounts.server", "--port", str(self.port), "--workers", "1"],
                env=environment(
                    DJANGO_SETTINGS_MODULE="tests.server.settings", PYTHONPATH=str(PROJECT), **extra
                ),
                cwd=PROJECT,
                stdout=file,
                stderr=file,
            )

    def ask(self, path: str) -> tuple[int, str]:
        web = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            web.request("GET", path, headers={"Host": "localhost"})
            response = web.getresponse()
            return response.status, response.read().decode()
        finally:
            web.close()

    def is_ready(self) -> bool:
        with contextlib.suppress(OSError, http.client.HTTPException):
            return self.ask("/readyz")[0] == 200
        return False


def test_web_tells_it_finds_back_and_ends_in_time(half_open_proxy: HalfOpenProxy, tmp_path: Path) -> None:
    web = Web(tmp_path / "log", DATABASE_URL=half_open_proxy.database_url, DB_SILENCE_SECONDS="1.5")
    try:
        eventually(web.is_ready, describe=web.log.read_text)
        half_open_proxy.freeze()
        for _ in range(3):
            status, answer = web.ask("/readyz")
            assert (status, json.loads(answer)["detail"]) == (503, "The database does not answer.")
        assert web.ask("/healthz")[0] == 200
        half_open_proxy.thaw()
        eventually(web.is_ready, describe=web.log.read_text)
        eventually(lambda: "The database works again" in web.log.read_text())
        output = web.log.read_text()
        assert output.count("The database does not answer. (") == 1, output
        assert output.count("Service Unavailable: /readyz") == 1, output
        assert "Traceback" not in output

        half_open_proxy.freeze()
        web.ask("/readyz")
        began = time.monotonic()
        web.process.send_signal(signal.SIGTERM)
        web.process.wait(timeout=30)
        assert time.monotonic() - began < 20
    finally:
        web.process.kill()
        web.process.wait()
