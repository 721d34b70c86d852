import io
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from amazon_accounts.starter.log import Log, LogFile
from amazon_accounts.starter.supervisor import Patience, Program, Supervisor
from tests.starter.postgres_processes import PROJECT, eventually, is_alive, kill

pytestmark = pytest.mark.slow

# Each process of a child writes its id into this file, one a line.
SLEEP = "import os, time; print(os.getpid(), file=open({file!r}, 'a'), flush=True); time.sleep(600)"
EXIT = "import os; print(os.getpid(), file=open({file!r}, 'a')); print('out of paper'); exit(3)"
STUBBORN = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); " + SLEEP
PARENT = f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {SLEEP!r}]); import time; time.sleep(600)"


def process_ids(file: Path) -> list[int]:
    return [int(line) for line in file.read_text().split()] if file.exists() else []


@contextmanager
def supervisor(**codes: str) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "tests.starter.supervise",
            *(f"{name}={code}" for name, code in codes.items()),
        ],
        cwd=PROJECT,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.terminate()
        process.communicate(timeout=20)


def test_a_killed_program_is_started_again(tmp_path: Path) -> None:
    file = tmp_path / "ids"
    with supervisor(web=SLEEP.format(file=str(file))):
        assert eventually(lambda: len(process_ids(file)) == 1)
        kill(process_ids(file)[0])
        assert eventually(lambda: len(process_ids(file)) == 2)
        assert is_alive(process_ids(file)[1])


def test_it_gives_up_when_web_keeps_ending_and_says_why(tmp_path: Path) -> None:
    web, worker = tmp_path / "web", tmp_path / "worker"
    with supervisor(web=EXIT.format(file=str(web)), worker=SLEEP.format(file=str(worker))) as process:
        _, errors = process.communicate(timeout=30)
    assert process.returncode == 1
    assert len(process_ids(web)) == 5
    assert errors.endswith("web ended 5 times right after its start (exit status 3):\n  out of paper\n")
    assert not is_alive(process_ids(worker)[0])


def test_web_goes_on_while_the_worker_keeps_ending(tmp_path: Path) -> None:
    web, worker = tmp_path / "web", tmp_path / "worker"
    with supervisor(web=SLEEP.format(file=str(web)), worker=EXIT.format(file=str(worker))) as process:
        assert process.stderr is not None
        line = next(line for line in process.stderr if "lives" in line)
        assert line == (
            "worker | no worker lives: it ended 5 times right after its start (exit status 3); it is tried again in "
            "30 seconds\n"
        )
        assert len(process_ids(worker)) == 5
        assert is_alive(process_ids(web)[0])
        process.terminate()
        assert process.wait(10) == 0


def test_a_program_that_kept_ending_is_tried_again_and_may_live(tmp_path: Path) -> None:
    file, stream = tmp_path / "ids", io.StringIO()
    # It lives when it is started for the seventh time. A shell starts at once, on a busy machine too.
    script = 'echo $$ >> "$1"; [ "$(wc -l < "$1")" -gt 6 ] || exit 3; exec sleep 600'
    program = Program("worker", ["/bin/sh", "-c", script, "sh", str(file)])
    keeper = Supervisor([program], Log(["worker"], stream), Patience(early_exit=3, retry=0))

    def stop_when_it_lives() -> None:
        if "lives again" in stream.getvalue():
            keeper.ask_to_stop()

    assert keeper.run(stop_when_it_lives) == ""
    assert "no worker lives: it ended 6 times" in stream.getvalue()
    assert len(process_ids(file)) == 7
    assert not keeper.keeps_ending("worker")


def test_it_stops_within_ten_seconds_although_a_program_ignores_sigterm(tmp_path: Path) -> None:
    file = tmp_path / "ids"
    with supervisor(stubborn=STUBBORN.format(file=str(file))) as process:
        assert eventually(lambda: len(process_ids(file)) == 1)
        began = time.monotonic()
        process.terminate()
        assert process.wait(10) == 0
        assert time.monotonic() - began > 3, "the program got no time to end by itself"
    assert not is_alive(process_ids(file)[0])


def test_a_second_ctrl_c_does_no_harm(tmp_path: Path) -> None:
    file = tmp_path / "ids"
    with supervisor(stubborn=STUBBORN.format(file=str(file))) as process:
        assert eventually(lambda: len(process_ids(file)) == 1)
        for _ in range(3):
            process.send_signal(signal.SIGINT)
            time.sleep(0.1)
        _, errors = process.communicate(timeout=10)
        assert process.returncode == 0
    assert "Traceback" not in errors
    assert not is_alive(process_ids(file)[0])


def test_ctrl_c_reaches_only_the_supervisor(tmp_path: Path) -> None:
    file = tmp_path / "ids"
    with supervisor(web=SLEEP.format(file=str(file))) as process:
        assert eventually(lambda: len(process_ids(file)) == 1)
        assert os.getpgid(process_ids(file)[0]) != os.getpgid(process.pid)


def test_the_children_of_a_killed_program_are_killed_too(tmp_path: Path) -> None:
    # Otherwise they would keep its port.
    file = tmp_path / "ids"
    with supervisor(web=PARENT.replace("{file!r}", repr(str(file)))):
        assert eventually(lambda: len(process_ids(file)) == 1)
        grandchild = process_ids(file)[0]
        kill(os.getpgid(grandchild))
        assert eventually(lambda: not is_alive(grandchild))


@pytest.mark.parametrize("code", [pytest.param(SLEEP, id="willing"), pytest.param(STUBBORN, id="stubborn")])
def test_nothing_outlives_a_killed_supervisor(tmp_path: Path, code: str) -> None:
    file = tmp_path / "ids"
    with supervisor(web=code.format(file=str(file))) as process:
        assert eventually(lambda: len(process_ids(file)) == 1)
        process.kill()
        assert eventually(lambda: not is_alive(process_ids(file)[0]), 10)


def test_a_killed_watchdog_is_replaced(tmp_path: Path) -> None:
    file = tmp_path / "ids"
    with supervisor(web=SLEEP.format(file=str(file))) as process:
        assert eventually(lambda: len(process_ids(file)) == 1)
        (first,) = watchdogs_of(process.pid)
        kill(first)
        assert eventually(lambda: watchdogs_of(process.pid) not in ([], [first]))
        time.sleep(0.3)
        process.kill()
        assert eventually(lambda: not is_alive(process_ids(file)[0]), 10)


def watchdogs_of(process: int) -> list[int]:
    children = Path(f"/proc/{process}/task/{process}/children").read_text().split()
    return [
        int(child)
        for child in children
        if is_alive(int(child)) and b"starter.watchdog" in Path(f"/proc/{child}/cmdline").read_bytes()
    ]


def test_its_log_names_each_program_in_a_column(tmp_path: Path) -> None:
    stream = io.StringIO()
    log = Log(["web", "scheduler"], stream)
    log.write("web", "hello")
    log.write("scheduler", "hello, too")
    assert stream.getvalue() == "web       | hello\nscheduler | hello, too\n"


def test_it_follows_a_file_from_its_end_and_a_new_file_from_its_start(tmp_path: Path) -> None:
    path = tmp_path / "server.log"
    path.write_text("before\n")
    file = LogFile(path)
    with path.open("a") as writer:
        writer.write("one\ntwo\nhal")
    assert list(file.new_lines()) == ["one", "two"]
    with path.open("a") as writer:
        writer.write("f\n")
    assert list(file.new_lines()) == ["half"]
    path.write_text("new\n")
    assert list(file.new_lines()) == ["new"]
