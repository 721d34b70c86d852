from pathlib import Path

import pytest

from amazon_accounts.postgresql.statements import MissingStatementError, load


@pytest.fixture
def module_file(tmp_path: Path) -> str:
    (tmp_path / "sql").mkdir()
    (tmp_path / "sql" / "count_rows.sql").write_text(
        "-- Count the rows.\nSELECT count(*) FROM rows\n", encoding="utf-8"
    )
    (tmp_path / "sql" / "bare.sql").write_text("SELECT 1\n", encoding="utf-8")
    return str(tmp_path / "counting.py")


def test_a_statement_lies_in_the_folder_sql_beside_its_module(module_file: str) -> None:
    assert load(module_file, "count_rows") == "-- Count the rows.\nSELECT count(*) FROM rows\n"


def test_a_missing_file_is_named(module_file: str) -> None:
    with pytest.raises(MissingStatementError, match=r"There is no file .*sql/nothing\.sql"):
        load(module_file, "nothing")


def test_a_statement_must_say_what_it_does(module_file: str) -> None:
    with pytest.raises(MissingStatementError, match=r"first line of .*bare\.sql"):
        load(module_file, "bare")
