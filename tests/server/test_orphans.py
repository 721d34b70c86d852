"""What is left of the server when its main process is killed."""

import contextlib
import signal
import socket
from pathlib import Path

import pytest

from tests.processes import eventually
from tests.server.conftest import HOST, running_server


@pytest.mark.slow
@pytest.mark.parametrize("is_busy", [False, True])
def test_the_port_is_free_soon_after_the_main_process_was_killed(
    django_db_setup: None, tmp_path: Path, *, is_busy: bool
) -> None:
    with running_server(tmp_path) as server, contextlib.ExitStack() as clients:
        if is_busy:
            clients.enter_context(server.connect(b"GET /test/hold HTTP/1.1\r\n" + HOST + b"\r\n"))
            server.wait_for("holds")
        server.process.send_signal(signal.SIGKILL)
        server.process.wait(20)
        eventually(lambda: is_free(server.port), describe=server.log)


def is_free(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=5):
        return False
    return True
