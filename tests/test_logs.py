"""What a line of the log says, as JSON and as text."""

import json
import logging
from typing import Any

import pytest
from django.http import HttpRequest

from amazon_accounts.logs.formats import JsonFormatter, TextFormatter
from amazon_accounts.logs.trace import Trace, traced

TRACE = Trace(request_id="0193c8a05b1d7a22b3c4d5e6f7a8b9c0", task="accounts.run_sync", job="7")


def write(message: str, *args: object, **extra: object) -> dict[str, Any]:
    record = logging.LogRecord("tokens.refresh", logging.WARNING, "a.py", 1, message, args, None)
    vars(record).update(extra)
    line = JsonFormatter().format(record)
    assert len(line.splitlines()) == 1
    found: dict[str, Any] = json.loads(line)
    return found


def test_a_line_has_its_figures_as_fields() -> None:
    line = write("Read %d accounts.", 3, action="sync_ended", seconds=1.5, counts={"new": 1})
    assert line.pop("time").endswith("+00:00")
    assert line == {
        "level": "warning",
        "logger": "tokens.refresh",
        "message": "Read 3 accounts.",
        "action": "sync_ended",
        "seconds": 1.5,
        "counts": {"new": 1},
    }


def test_a_line_names_its_request_and_its_task() -> None:
    with traced(TRACE):
        line = write("Done.")
    assert {name: line[name] for name in ("request_id", "task", "job")} == vars(TRACE)
    assert "request_id" not in write("Done.")


def test_amazons_id_of_a_request_stands_beside_our_own() -> None:
    with traced(TRACE):
        line = write("Amazon answered 500.", request_id="B7XZ")
    assert (line["request_id"], line["amazon_request_id"]) == (TRACE.request_id, "B7XZ")


def test_an_object_beside_a_line_is_left_out() -> None:
    assert set(write("Refused.", request=HttpRequest(), status_code=403)) == {
        "time", "level", "logger", "message", "status_code",
    }  # fmt: skip


def test_an_exception_is_part_of_its_line() -> None:
    error = ValueError("first\nsecond")
    record = logging.LogRecord("a", logging.ERROR, "a.py", 1, "It failed.", (), (ValueError, error, None))
    assert json.loads(JsonFormatter().format(record))["exception"] == "ValueError: first\\x0asecond"
    assert "exception" not in write("It failed.")


@pytest.mark.parametrize(
    ("trace", "end"), [(TRACE, f"Done. [request {TRACE.request_id}]"), (Trace(), "Done.")]
)
def test_a_line_of_text_ends_with_its_request(trace: Trace, end: str) -> None:
    record = logging.LogRecord("a", logging.INFO, "a.py", 1, "Done.", (), None)
    with traced(trace):
        assert TextFormatter("{message}", style="{").format(record) == end
