"""PgBouncer before the test's database, in transaction mode and with fewer sessions than clients."""

import getpass
import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.db import connection

from tests.half_open_proxy import HalfOpenProxy
from tests.ports import free_port
from tests.processes import eventually

PROGRAM = shutil.which("pgbouncer", path=f"{os.environ['PATH']}:/usr/sbin")
SESSIONS = 2


@pytest.fixture
def pgbouncer(half_open_proxy: HalfOpenProxy, tmp_path: Path) -> Iterator[int]:
    """Run PgBouncer; return its port. It reaches the embedded server, which has only a socket, through the proxy."""
    if PROGRAM is None:
        pytest.skip("PgBouncer is not installed: apt-get install pgbouncer")
    port = free_port()
    database = connection.settings_dict
    password = f" password='{database['PASSWORD']}'" if database["PASSWORD"] else ""
    configuration = tmp_path / "pgbouncer.ini"
    configuration.write_text(
        "[databases]\n"
        f"{database['NAME']} = host=127.0.0.1 port={half_open_proxy.port} user={database['USER']}{password}\n"
        "[pgbouncer]\n"
        f"listen_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\nauth_type = any\n"
        f"pool_mode = transaction\ndefault_pool_size = {SESSIONS}\n"
        # It refuses to run as root.
        + ("user = nobody\n" if getpass.getuser() == "root" else "")
    )
    with (tmp_path / "pgbouncer.log").open("wb") as log:
        process = subprocess.Popen([PROGRAM, configuration], stdout=log, stderr=log)
    try:
        eventually(lambda: _listens(port), describe=(tmp_path / "pgbouncer.log").read_text)
        yield port
    finally:
        process.kill()
        process.wait()


def _listens(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0
