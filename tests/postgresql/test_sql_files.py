from pathlib import Path
from typing import Any, Final

import pytest
from django.conf import settings
from django.db import connection

from tests.postgresql.typical_parameters import SECOND_MODES, TYPICAL_PARAMETERS

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
    assert explain(path, TYPICAL_PARAMETERS[path])


@pytest.mark.django_db
@pytest.mark.parametrize("path", SECOND_MODES)
def test_postgresql_can_plan_the_second_mode_of_a_statement(path: str) -> None:
    assert explain(path, SECOND_MODES[path])


def explain(path: str, parameters: dict[str, Any]) -> list[tuple[Any, ...]]:
    statement = Path(settings.BASE_DIR, path).read_text(encoding="utf-8")
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN {statement}", parameters)
        rows: list[tuple[Any, ...]] = cursor.fetchall()
    return rows


def test_no_parameters_are_left_of_a_statement_that_is_gone() -> None:
    assert set(TYPICAL_PARAMETERS) | set(SECOND_MODES) <= set(STATEMENTS)
