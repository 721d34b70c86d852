"""What the log says of requests."""

from logging import LogRecord


def in_one_line(record: LogRecord) -> bool:
    """Leave the traceback of a refusal out: it is an answer, and no failure of ours."""
    if getattr(record, "status_code", 500) < 500:
        record.exc_info = None
    return True
