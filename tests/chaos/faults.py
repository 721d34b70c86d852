"""What is done to the product. Each fault is a generator: it begins, waits at its `yield`, and ends."""

import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests import clocks
from tests.chaos import disk
from tests.chaos.programs import Program

if TYPE_CHECKING:
    from tests.chaos.storm import Storm

Doing = Iterator[None]

FULL_SECONDS = 40.0
FILL_SECONDS = 0.5


@dataclass(frozen=True)
class Fault:
    name: str
    do: Callable[["Storm"], Doing]
    # What is done lasts for this time.
    seconds: float = 0.0
    # After its end everything is back within this time.
    back_seconds: float = 30.0
    # No login that is due waits longer for its refresh while the fault lasts and until everything is back.
    wait_seconds: float = 60.0
    is_short: bool = False
    find_obstacle: Callable[[], str] = lambda: ""


def kill_worker(storm: "Storm") -> Doing:
    _kill(storm.choose("worker"))
    yield


def kill_all_workers(storm: "Storm") -> Doing:
    _kill(*storm.fleet.of("worker"))
    yield


def kill_scheduler(storm: "Storm") -> Doing:
    _kill(storm.leader())
    yield


def kill_all_schedulers(storm: "Storm") -> Doing:
    _kill(*storm.fleet.of("scheduler"))
    yield


def kill_web(storm: "Storm") -> Doing:
    storm.truth.web_begins()
    _kill(*storm.fleet.of("web"))
    yield


def kill_everything(storm: "Storm") -> Doing:
    storm.truth.web_begins()
    storm.truth.database_unknown()
    storm.database.signal_server(signal.SIGINT)
    _kill(*storm.fleet)
    yield
    storm.database.wait()
    storm.truth.database_up()


def restart_worker(storm: "Storm") -> Doing:
    _restart(storm, storm.choose("worker"))
    yield


def restart_all(storm: "Storm") -> Doing:
    for program in storm.fleet:
        if program.kind == "web":
            storm.truth.web_begins()
        _restart(storm, program)
    yield


def freeze_worker(storm: "Storm") -> Doing:
    program = storm.choose("worker")
    program.freeze()
    yield
    program.thaw()


def freeze_leader(storm: "Storm") -> Doing:
    program = storm.leader()
    program.freeze()
    yield
    program.thaw()


def freeze_while_tokens_rotate(storm: "Storm") -> Doing:
    # Amazon ends the old refresh token at once, and answers while the worker is frozen.
    storm.has_rotated = True
    storm.amazon.choose(refresh_rotation="rotate_and_end")
    storm.amazon.fault("slow", "slow tokens", area="token", seconds=1.5)
    storm.sleep(storm.plan.check_seconds + 2)
    program = storm.choose("worker")
    program.freeze()
    yield
    program.thaw()
    storm.sleep(3)
    storm.amazon.calm("slow tokens")
    storm.amazon.choose(refresh_rotation="rotate")
    # Who is killed before the answer loses a refresh token for which there is no other, and no product could help.
    storm.sleep(4)


def restart_database(storm: "Storm") -> Doing:
    storm.truth.database_unknown()
    storm.database.signal_server(signal.SIGINT)
    storm.database_kills += 1
    yield
    storm.database.wait()
    storm.truth.database_up()


def kill_database(storm: "Storm") -> Doing:
    storm.truth.database_unknown()
    storm.database.signal_server(signal.SIGKILL)
    storm.database_kills += 1
    yield
    storm.database.wait()
    storm.truth.database_up()


def kill_session(storm: "Storm") -> Doing:
    storm.truth.database_unknown()
    storm.database.kill_session()
    storm.database_kills += 1
    yield
    storm.database.wait()
    storm.truth.database_up()


def _through_proxy(command: str, *, is_down: bool = True) -> Callable[["Storm"], Doing]:
    def do(storm: "Storm") -> Doing:
        if is_down:
            storm.truth.database_down()
        else:
            storm.truth.database_unknown()
        storm.database.do(command)
        yield
        storm.database.do("forward")
        storm.truth.database_up()

    return do


def fill_disk(storm: "Storm") -> Doing:
    assert storm.disk is not None
    storm.truth.database_down("full")
    for _ in range(int(FULL_SECONDS / FILL_SECONDS)):
        storm.disk.fill()
        storm.sleep(FILL_SECONDS)
    yield
    storm.disk.free()
    storm.truth.database_up()


def _with_clock(kind: str, seconds_off: float) -> Callable[["Storm"], Doing]:
    def do(storm: "Storm") -> Doing:
        program = storm.leader() if kind == "scheduler" else storm.choose(kind)
        storm.clocks[program.name].set(seconds_off)
        yield
        storm.clocks[program.name].set(0)

    return do


def _at_amazon(*rules: tuple[str, dict[str, object]]) -> Callable[["Storm"], Doing]:
    def do(storm: "Storm") -> Doing:
        names = [f"storm {number} {kind}" for number, (kind, _) in enumerate(rules)]
        for name, (kind, details) in zip(names, rules, strict=True):
            storm.amazon.fault(kind, name, **details)
        # A process dies meanwhile.
        storm.sleep(1)
        _kill(storm.choose(storm.chance.choice(["worker", "worker", "scheduler"])))
        yield
        storm.amazon.calm(*names)

    return do


def shift_pages(storm: "Storm") -> Doing:
    # Slow pages, so that the list moves between them.
    storm.amazon.fault("slow", "slow pages", area="api", path="/adsAccounts/list", seconds=0.4)
    for _ in range(8 if storm.plan.is_short else 40):
        storm.amazon.shift_pages(storm.chance)
        storm.sleep(0.25)
    yield
    storm.amazon.calm("slow pages")


def revoke_login(storm: "Storm") -> Doing:
    yield from storm.revoke_and_reconnect()


def upgrade(storm: "Storm") -> Doing:
    yield from storm.upgrade()


def _kill(*programs: Program) -> None:
    for program in programs:
        program.kill()
    for program in programs:
        program.start()


def _restart(storm: "Storm", program: Program) -> None:
    storm.restart_seconds.append((program.stop(), program.name))
    program.start()


TOKEN_TROUBLE = {"area": "token", "probability": 0.4}
API_TROUBLE = {"area": "api", "probability": 0.4}

KILL_EVERYTHING = "kill every process while PostgreSQL restarts"
UPGRADE = "old and new code over a migration"
# The short form has the faults that are over soon, and that the product withstands on a busy machine. A full disk and
# wrong clocks belong to the long form.
FAULTS = [
    Fault("kill a worker", kill_worker),
    Fault("kill all workers", kill_all_workers),
    Fault("kill the leading scheduler", kill_scheduler),
    Fault("kill all schedulers", kill_all_schedulers),
    Fault("kill web", kill_web),
    Fault(KILL_EVERYTHING, kill_everything, 1, is_short=True),
    Fault("restart a worker", restart_worker),
    Fault("restart every process, one after another", restart_all),
    Fault("freeze a worker for 25 s", freeze_worker, 25),
    Fault("freeze a worker for 6 s", freeze_worker, 6, is_short=True),
    Fault("freeze the leading scheduler for 50 s", freeze_leader, 50),
    Fault("freeze a worker while refresh tokens rotate", freeze_while_tokens_rotate, 25),
    Fault("restart PostgreSQL", restart_database, 1),
    Fault("kill PostgreSQL", kill_database, 1),
    Fault("kill a session of PostgreSQL", kill_session, 1),
    Fault("cut all connections to PostgreSQL", _through_proxy("cut", is_down=False), 1, is_short=True),
    Fault("refuse connections to PostgreSQL for 10 s", _through_proxy("refuse"), 10),
    Fault(
        "a network to PostgreSQL that stalls for 4 s",
        _through_proxy("stall", is_down=False),
        4,
        is_short=True,
    ),
    Fault("a network to PostgreSQL that stalls for 20 s", _through_proxy("stall"), 20),
    Fault("a firewall that forgot the open connections", _through_proxy("forget", is_down=False), 1),
    Fault("dropped packets to PostgreSQL for 20 s", _through_proxy("drop"), 20),
    Fault("a full disk of PostgreSQL for 40 s", fill_disk, find_obstacle=disk.find_obstacle),
    Fault(
        "the clock of a worker 10 minutes slow",
        _with_clock("worker", -600),
        30,
        find_obstacle=clocks.find_obstacle,
    ),
    Fault(
        "the clock of a worker 10 minutes fast",
        _with_clock("worker", 600),
        30,
        find_obstacle=clocks.find_obstacle,
    ),
    Fault(
        "the clock of the leading scheduler 10 minutes back",
        _with_clock("scheduler", -600),
        30,
        find_obstacle=clocks.find_obstacle,
    ),
    Fault(
        "the clock of the leading scheduler 10 minutes ahead",
        _with_clock("scheduler", 600),
        30,
        find_obstacle=clocks.find_obstacle,
    ),
    Fault(
        "429 from the Ads API",
        _at_amazon(("throttle", {**API_TROUBLE, "seconds": 2})),
        15,
    ),
    Fault(
        "5xx from Amazon",
        _at_amazon(("error_503", API_TROUBLE), ("error_500", TOKEN_TROUBLE), ("bad_gateway", API_TROUBLE)),
        10,
        is_short=True,
    ),
    Fault("Login with Amazon is down for 12 s", _at_amazon(("unavailable_html", {"area": "token"})), 12),
    Fault(
        "lost and cut answers of Amazon",
        _at_amazon(("drop_after", API_TROUBLE), ("drop_after", TOKEN_TROUBLE), ("truncated", API_TROUBLE)),
        15,
    ),
    Fault("pages of Amazon's list shift", shift_pages, 2, is_short=True),
    Fault("a login is revoked and reconnected", revoke_login),
    Fault(UPGRADE, upgrade),
]
