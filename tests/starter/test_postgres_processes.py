"""What the embedded PostgreSQL survives: tests with real processes, kills and folders."""

import os
import shutil
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.starter.postgres_processes import (
    NAMED_ID,
    NAMELESS_ID,
    PostgresUser,
    copy_project,
    environment_for,
    eventually,
    guardian,
    is_alive,
    kill,
    postmaster,
    python_for,
    servers,
)

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        sys.platform != "linux", reason="the processes are found in /proc, which only Linux has"
    ),
]
only_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")


@pytest.fixture
def folder() -> Iterator[Path]:
    """A private folder with a short path. At the end no server may run in it."""
    path = Path(tempfile.mkdtemp(prefix="pg"))
    yield path
    assert eventually(lambda: not servers(path / "var")), "a server was left behind"
    shutil.rmtree(path)


@pytest.fixture(scope="module")
def copy() -> Iterator[Path]:
    path = Path(tempfile.mkdtemp(prefix="pg"))
    path.chmod(0o755)
    copy_project(path)
    yield path
    shutil.rmtree(path)


@pytest.fixture
def data_dir(folder: Path) -> Path:
    return folder / "var"


def test_users_that_start_together_share_one_server(data_dir: Path) -> None:
    users = [PostgresUser(data_dir) for _ in range(4)]
    try:
        started = {
            user.wait_until_ready().run("SELECT pg_postmaster_start_time()::text")[0][0] for user in users
        }
        assert len(started) == 1
        assert servers(data_dir) == [postmaster(data_dir)]
    finally:
        for user in users:
            user.kill()


def test_it_stays_for_the_second_user_and_stops_after_the_last(data_dir: Path) -> None:
    with PostgresUser(data_dir) as first, PostgresUser(data_dir) as second:
        first.wait_until_ready()
        second.wait_until_ready()
        server, keeper = postmaster(data_dir), guardian(data_dir)
        first.kill()
        assert not eventually(lambda: not is_alive(server), 1)
        second.end()
        assert eventually(lambda: not is_alive(server) and not is_alive(keeper), 5)


def test_it_stops_after_a_last_user_that_is_killed(data_dir: Path) -> None:
    with PostgresUser(data_dir) as user:
        user.wait_until_ready()
        server = postmaster(data_dir)
        user.kill()
        assert eventually(lambda: not is_alive(server), 5)
    assert "database system is shut down" in (data_dir / "postgres/server.log").read_text()


def test_it_comes_back_on_the_same_data_when_the_server_is_killed(data_dir: Path) -> None:
    with PostgresUser(data_dir) as user:
        user.wait_until_ready().run("CREATE TABLE kept AS SELECT generate_series(1, 1000) AS number")
        server, keeper = postmaster(data_dir), guardian(data_dir)
        kill(server)
        user.run("ensure")
        assert user.run("SELECT count(*) FROM kept") == [[1000]]
        assert postmaster(data_dir) != server
        assert guardian(data_dir) == keeper
        assert len(servers(data_dir)) == 1


def test_a_user_brings_it_back_when_the_guardian_is_killed(data_dir: Path) -> None:
    with PostgresUser(data_dir) as user:
        user.wait_until_ready().run("CREATE TABLE kept AS SELECT 1 AS number")
        server = postmaster(data_dir)
        kill(guardian(data_dir))
        assert eventually(lambda: not is_alive(server), 5), "a server without guardian would run for ever"
        user.run("ensure")
        assert user.run("SELECT * FROM kept") == [[1]]
        assert servers(data_dir) == [postmaster(data_dir)]


def test_the_next_user_brings_it_back_when_everything_was_killed(data_dir: Path) -> None:
    with PostgresUser(data_dir) as user:
        user.wait_until_ready().run("CREATE TABLE kept AS SELECT generate_series(1, 100000) AS number")
        server, keeper = postmaster(data_dir), guardian(data_dir)
        os.kill(keeper, 19)  # stopped, it cannot restart the server that is killed next
        kill(server)
        user.kill()
        kill(keeper)
    stale = (data_dir / "postgres/data/postmaster.pid").read_text()
    assert stale.split()[0] == str(server)
    # The process id in it now belongs to another process, as after a restart of a container.
    (data_dir / "postgres/data/postmaster.pid").write_text(stale.replace(str(server), str(os.getpid()), 1))
    with PostgresUser(data_dir) as user:
        assert user.wait_until_ready().run("SELECT count(*) FROM kept") == [[100000]]
        assert "automatic recovery" in (data_dir / "postgres/server.log").read_text()


def test_it_ends_what_an_earlier_server_left_behind(data_dir: Path) -> None:
    # A busy backend does not notice that its server died. No second server may use the same data meanwhile.
    with PostgresUser(data_dir) as user, PostgresUser(data_dir) as busy:
        user.wait_until_ready()
        busy.wait_until_ready()
        assert busy.process.stdin is not None
        busy.process.stdin.write(
            "SELECT count(*) FROM generate_series(1, 1000000) a, generate_series(1, 1000000) b\n"
        )
        busy.process.stdin.flush()
        running = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%series(1, 1000000) b' AND pid <> pg_backend_pid()"
        assert eventually(lambda: user.run(running) != [[0]])
        server = postmaster(data_dir)
        kill(server)
        user.run("ensure")
        assert user.run("SELECT 1") == [[1]]
        assert servers(data_dir) == [postmaster(data_dir)]


def test_a_user_that_starts_while_it_stops_gets_a_new_server(data_dir: Path) -> None:
    for _ in range(5):
        with PostgresUser(data_dir) as leaving:
            leaving.wait_until_ready()
            arrivals = [PostgresUser(data_dir) for _ in range(2)]
            threading.Timer(0.1, leaving.kill).start()
            for user in arrivals:
                with user:
                    assert user.wait_until_ready().run("SELECT 1") == [[1]]


@pytest.mark.parametrize(
    "name",
    [
        pytest.param("with a space/var", id="space"),
        pytest.param("a,comma/var", id="comma"),
        pytest.param(f"{'long' * 50}/var", id="long"),
    ],
)
def test_it_runs_in_any_path(folder: Path, name: str) -> None:
    with PostgresUser(folder / name) as user:
        assert user.wait_until_ready().run("SELECT 1") == [[1]]
        server = postmaster(folder / name)
    assert eventually(lambda: not is_alive(server))


def test_a_server_that_cannot_start_is_reported_in_one_line(data_dir: Path) -> None:
    with PostgresUser(data_dir) as user:
        user.wait_until_ready()
        server = postmaster(data_dir)
    assert eventually(lambda: not is_alive(server))
    (data_dir / "postgres/data/PG_VERSION").write_text("9.1\n")
    with PostgresUser(data_dir) as user:
        refusal = user.read_failure()
    assert refusal.splitlines()[-1].startswith("Error: The embedded PostgreSQL does not start: ")
    assert "files are incompatible with server" in refusal
    assert "Traceback" not in refusal


def test_an_unusable_folder_is_reported_in_one_line() -> None:
    with PostgresUser(Path("/dev/null/var")) as user:
        assert user.read_failure() == (
            "Error: DATA_DIR /dev/null/var cannot be used (Not a directory: /dev/null/var/postgres). "
            "Set DATA_DIR to a folder that you may write."
        )


@only_root
def test_root_needs_no_open_folders(copy: Path) -> None:
    # Project, packages and data are under a private folder, as under root's home. The folder stays private.
    copy.chmod(0o700)
    try:
        with PostgresUser(copy / "var", environment=environment_for(copy)) as user:
            assert user.wait_until_ready().run("SELECT 1") == [[1]]
            server = postmaster(copy / "var")
            assert Path(f"/proc/{server}").stat().st_uid != 0
        assert eventually(lambda: not is_alive(server))
        assert copy.stat().st_mode & 0o777 == 0o700
    finally:
        copy.chmod(0o755)


@only_root
@pytest.mark.parametrize(
    "user_id", [pytest.param(NAMED_ID, id="named"), pytest.param(NAMELESS_ID, id="nameless")]
)
def test_an_ordinary_user_runs_it_and_root_is_refused(copy: Path, folder: Path, user_id: int) -> None:
    data_dir = folder / "var"
    os.chown(folder, user_id, user_id)
    with ordinary_user(user_id, data_dir, copy) as user:
        try:
            user.wait_until_ready()
        except AssertionError as error:
            if "has no name" in str(error):
                pytest.skip("initdb needs a user name, and this machine allows no user namespaces")
            raise
        assert user.run("SELECT 1") == [[1]]
        server = postmaster(data_dir)
        assert Path(f"/proc/{server}").stat().st_uid == user_id
    assert eventually(lambda: not is_alive(server))
    with PostgresUser(data_dir) as root:
        assert f"belongs to user id {user_id}, but this is user id 0" in root.read_failure()


@only_root
def test_an_ordinary_user_is_refused_after_root(copy: Path, folder: Path) -> None:
    folder.chmod(0o755)
    with PostgresUser(folder / "var") as root:
        root.wait_until_ready()
    with ordinary_user(NAMELESS_ID, folder / "var", copy) as user:
        refusal = user.read_failure()
    assert refusal.startswith("Error: ")
    assert len(refusal.splitlines()) == 1


def ordinary_user(user_id: int, data_dir: Path, copy: Path) -> PostgresUser:
    python = python_for(user_id)
    if python is None:
        pytest.skip("only root may run this Python, and there is no other Python of this version")
    return PostgresUser(data_dir, user=user_id, environment=environment_for(copy), python=python)
