"""Database errors that one row causes, and the sentence that people read about them."""

from django.db import Error


def is_about_row(error: BaseException) -> bool:
    # SQLSTATE 22 and 23: a value does not fit its column or a constraint. 54: it exceeds a limit of
    # PostgreSQL.
    return _sqlstate(error)[:2] in {"22", "23", "54"}


def is_deadlock(error: BaseException) -> bool:
    return _sqlstate(error) in {"40P01", "40001"}


def explain_refusal(error: Error) -> str:
    # The details of the message would quote values of the row, so only the primary message is used.
    diagnosis = getattr(error.__cause__, "diag", None)
    return f"The database refused it: {getattr(diagnosis, 'message_primary', None) or 'no reason given'}."


def _sqlstate(error: BaseException) -> str:
    return getattr(error.__cause__, "sqlstate", None) or ""
