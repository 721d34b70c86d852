"""The two forms of a line of the log: text for people, JSON for machines."""

import json
import logging
from datetime import UTC, datetime
from typing import Any, Final

from amazon_accounts.logs.trace import read_trace
from amazon_accounts.visible_text import VisibleFormatter, format_traceback

_USUAL: Final = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
# Django and granian attach objects to their records. They say nothing here, and may hold what no log may have.
_PLAIN: Final = (str, int, float, bool, type(None))


class TextFormatter(VisibleFormatter):
    """Names the request at the end of a line that belongs to one."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - the name of the base class
        request_id = read_trace().request_id
        line = super().formatMessage(record)
        return f"{line} [request {request_id}]" if request_id else line


class JsonFormatter(logging.Formatter):
    """Writes each record as one line of JSON: what the text says, and its figures as fields of their own."""

    def format(self, record: logging.LogRecord) -> str:
        trace = read_trace()
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        line |= {name: value for name, value in vars(trace).items() if value}
        figures = {name: value for name, value in vars(record).items() if name not in _USUAL}
        # Amazon names the request of each answer, too.
        if "request_id" in figures:
            figures["amazon_request_id"] = figures.pop("request_id")
        line |= {name: plain for name, value in figures.items() if (plain := _make_plain(value)) is not None}
        if record.exc_info and record.exc_info[1]:
            line["exception"] = format_traceback(record.exc_info[1])
        return json.dumps(line, ensure_ascii=True)


def _make_plain(value: object) -> Any:
    """Return what JSON can hold, or None for an object."""
    if isinstance(value, _PLAIN):
        return value
    if isinstance(value, dict):
        return {str(name): _make_plain(part) for name, part in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_make_plain(part) for part in value]
    return None
