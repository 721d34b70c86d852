"""Makes control characters visible before a text reaches a log or a terminal.

A text from a request or from Amazon may hold escape sequences that clear a terminal, line breaks that look like the
next line of the log, and characters that reverse the direction of what follows.
"""

import logging
import re
import sys
import traceback
from collections.abc import Iterator
from types import TracebackType
from typing import Any, Final

# C0, DEL and C1; marks of direction; the separators of lines and paragraphs; lone surrogates, which no stream can encode.
_CONTROLS = r"\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff"
_IN_LINE = re.compile(f"[{_CONTROLS}]")
_IN_LINES = re.compile(f"(?!\n)[{_CONTROLS}]")
# What a name of one line cannot contain. Marks of direction belong to some languages.
UNPRINTABLE: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
# How the traceback module begins the lines of a frame, also inside of an exception group.
_FRAME = re.compile(r'[ |+-]*File "')


def escape_line(text: str) -> str:
    """Return the text as one line: control characters and line breaks are written as `\\x1b` or `\\u2028`."""
    return _IN_LINE.sub(_name_character, text)


def escape_lines(text: str) -> str:
    """Return the text with its line breaks. Other control characters are written as `\\x1b` or `\\u202e`."""
    return _IN_LINES.sub(_name_character, text)


def _name_character(match: re.Match[str]) -> str:
    code = ord(match[0])
    return f"\\x{code:02x}" if code <= 0xFF else f"\\u{code:04x}"


def format_traceback(error: BaseException) -> str:
    """Return the traceback. Its lines are of our code; what the exceptions say is one line each."""
    return "".join(_format_parts(error)).rstrip("\n")


def _format_parts(error: BaseException) -> Iterator[str]:
    for part in traceback.TracebackException.from_exception(error).format():
        if _FRAME.match(part):
            yield escape_lines(part)
        else:
            # The line breaks around the sentence about a cause are of the traceback module.
            words = part.strip("\n")
            before, _, after = part.partition(words)
            yield f"{before}{escape_line(words)}{after}" if words else part


class VisibleFormatter(logging.Formatter):
    """Formats each record as one line, and its traceback as further lines."""

    def format(self, record: logging.LogRecord) -> str:
        # Not by super(), which would reuse the traceback that another formatter has kept in the record.
        record.message = record.getMessage()
        if self.usesTime():
            record.asctime = self.formatTime(record, self.datefmt)
        lines = [escape_line(self.formatMessage(record))]
        if record.exc_info and record.exc_info[1]:
            lines.append(format_traceback(record.exc_info[1]))
        if record.stack_info:
            lines.append(escape_lines(self.formatStack(record.stack_info)))
        return "\n".join(lines)


def show_uncaught_error(
    _kind: type[BaseException], error: BaseException, _traceback: TracebackType | None
) -> Any:
    # For sys.excepthook.
    sys.stderr.write(f"{format_traceback(error)}\n")
