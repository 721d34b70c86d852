"""SQL that lives in files: `sql/NAME.sql` beside the module that runs it, one statement a file."""

from functools import cache
from pathlib import Path


class MissingStatementError(LookupError):
    """There is no such file, or its first line does not say what the statement does."""


@cache
def load(module_file: str, name: str) -> str:
    """Return the statement `sql/NAME.sql` beside a module: `load(__file__, "merge_accounts")`.

    The first line of the file is a comment that says what the statement does. Parameters are written
    `%(name)s`, so a percent sign is doubled, in comments too.
    """
    path = Path(module_file).parent / "sql" / f"{name}.sql"
    try:
        statement = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise MissingStatementError(f"There is no file {path}.") from None
    if not statement.startswith("-- "):
        raise MissingStatementError(f"The first line of {path} must be a comment that says what it does.")
    return statement
