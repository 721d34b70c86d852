"""A filter for the log of requests."""

from logging import LogRecord


def keep_to_one_line(record: LogRecord) -> bool:
    # A refusal is an answer and no failure of ours, so it needs no traceback.
    if getattr(record, "status_code", 500) < 500:
        record.exc_info = None
    return True
