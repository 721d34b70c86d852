"""Errors of the database that are about one row, and the sentence that people read about them."""

from django.db import Error


def is_about_row(error: BaseException) -> bool:
    """Whether a row is the cause: a value that does not fit (SQLSTATE 22, 23) or exceeds a limit (54)."""
    return _sqlstate(error)[:2] in {"22", "23", "54"}


def is_deadlock(error: BaseException) -> bool:
    return _sqlstate(error) in {"40P01", "40001"}


def explain_refusal(error: Error) -> str:
    """Return the database's message without its details, which would quote the values."""
    diagnosis = getattr(error.__cause__, "diag", None)
    return f"The database refused it: {getattr(diagnosis, 'message_primary', None) or 'no reason given'}."


def _sqlstate(error: BaseException) -> str:
    return getattr(error.__cause__, "sqlstate", None) or ""
