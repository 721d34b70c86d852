from pathlib import Path
from typing import Final

import pytest
from django.conf import settings
from django.db import connection

from tests.postgresql.typical_parameters import TYPICAL_PARAMETERS

PACKAGES: Final = ("accounts", "amazon_accounts", "dashboard", "tokens")
STATEMENTS: Final = sorted(
    str(path.relative_to(settings.BASE_DIR))
    for package in PACKAGES
    for path in Path(settings.BASE_DIR, package).glob("**/sql/*.sql")
)


@pytest.mark.django_db
@pytest.mark.parametrize("path", STATEMENTS)
def test_postgresql_can_plan_every_statement(path: str) -> None:
    if path not in TYPICAL_PARAMETERS:
        pytest.fail(f"Add typical parameters of {path} to tests/postgresql/typical_parameters.py.")
    statement = Path(settings.BASE_DIR, path).read_text(encoding="utf-8")
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN {statement}", TYPICAL_PARAMETERS[path])
        assert cursor.fetchall()


def test_no_parameters_are_left_of_a_statement_that_is_gone() -> None:
    assert set(TYPICAL_PARAMETERS) <= set(STATEMENTS)
