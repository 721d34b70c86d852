"""What a load reports, from figures that are given. `make load` itself is too long for the suite."""

import os
from pathlib import Path

from tests.load.__main__ import write_figures
from tests.load.load import Measured
from tests.load.plan import Plan
from tests.load.report import describe, find_missed
from tests.load.usage import Usage, find_family

ROWS = {
    "accounts": 100, "refreshes": 20, "lost_refreshes": 0, "syncs": 10, "lost_syncs": 0, "calls": 100, "sync_p95": 1.5,
    "wait_p95": 0.2, "expired": 0, "bytes": 20 * 1024 * 1024,
}  # fmt: skip


def measure(
    *, age: float = 1.0, last_memory: float = 100.0, refused: dict[str, int] | None = None
) -> Measured:
    return Measured(
        seconds=100,
        bytes_before=10 * 1024 * 1024,
        rows=ROWS,
        queue_ages={"tokens": [age] * 20},
        times={"overview": [0.1, 0.2]},
        refused=refused or {},
        usage={"web": Usage(cpu=[1.0, 11.0], memory=[100.0] * 18 + [last_memory] * 2)},
    )


def test_a_load_that_reaches_everything_misses_nothing() -> None:
    assert find_missed(measure()) == []


def test_an_old_queue_a_growing_process_and_a_refused_page_are_missed() -> None:
    missed = find_missed(measure(age=6.0, last_memory=110.0, refused={"overview: 500": 3}))
    assert missed == [
        "the queue tokens is 6.0 s old at p95",
        "memory of web grows 10.0% in the second half",
        "3 times overview: 500",
    ]


def test_growth_is_told_for_a_day_at_the_usual_pace() -> None:
    # 10 MB in 100 s, which at this compression are 1,500 s.
    text = describe(Plan(compression=15), measure())
    assert "grew 10.0 MB, which is 576 MB a day" in text
    assert "| web | 10% of a core | 100 MB | 0.0% |" in text
    assert "| syncs | 10, 0.10 a second; 0 failed |" in text


def test_the_figures_take_the_place_of_the_last_ones(tmp_path: Path) -> None:
    page = tmp_path / "load.md"
    page.write_text("before\n<!-- load -->\nold\n<!-- /load -->\nafter\n")
    write_figures(page, "new\n")
    assert page.read_text() == "before\n<!-- load -->\nnew\n<!-- /load -->\nafter\n"


def test_the_usage_of_a_process_is_read() -> None:
    usage = Usage()
    usage.add(find_family(os.getpid()))
    assert usage.memory[0] > 10
    assert usage.cpu[0] > 0
