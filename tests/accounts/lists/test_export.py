"""The export of accounts: CSV that is harmless in a spreadsheet, JSON Lines, and chunks."""

import csv
import io
import json

import pytest
from django.contrib.auth.models import User
from hypothesis import given
from hypothesis import strategies as st

from accounts.lists.csv_text import FORMULA_STARTS, escape_formula, format_csv
from accounts.lists.export import COLUMNS, stream_accounts
from accounts.models import Account, Profile
from tests.accounts.conftest import AccountFactory

CELLS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12)


def export(format_: str, chunk_size: int = 2) -> list[str]:
    return list(stream_accounts(Account.objects.all(), format_, chunk_size=chunk_size))


@given(st.lists(st.lists(CELLS, min_size=2, max_size=2), max_size=4))
def test_a_reader_of_csv_gets_each_cell_back(rows: list[list[str]]) -> None:
    read = list(csv.reader(io.StringIO(format_csv(rows), newline="")))
    assert read == [[escape_formula(cell) for cell in row] for row in rows]


@given(CELLS, st.sampled_from(FORMULA_STARTS), st.text(" ", max_size=3))
def test_a_formula_gets_a_quote_before_it(text: str, start: str, blanks: str) -> None:
    formula = f"{blanks}{start}{text}"
    assert escape_formula(formula) == f"'{formula}"


@pytest.mark.parametrize("text", ["", "text", "a=b", "1+1", "x@y.example", "'=1", " text", "–1", "3-4"])
def test_harmless_text_stays_as_it_is(text: str) -> None:
    assert escape_formula(text) == text


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "  =1", "＝1", "＠x"])
def test_text_that_a_spreadsheet_would_run_is_escaped(text: str) -> None:
    assert escape_formula(text) == f"'{text}"


@pytest.mark.django_db
class TestStream:
    @pytest.mark.parametrize("number", [0, 1, 2, 3, 4, 5])
    def test_each_account_is_exported_once_in_any_number_of_chunks(
        self, alice: User, new_account: AccountFactory, number: int
    ) -> None:
        made = [str(new_account(alice).pk) for _ in range(number)]
        lines = "".join(export("jsonl")).splitlines()
        assert [json.loads(line)["id"] for line in lines] == sorted(made)
        rows = list(csv.DictReader(io.StringIO("".join(export("csv")))))
        assert [row["id"] for row in rows] == sorted(made)

    def test_a_chunk_has_at_most_the_asked_number_of_accounts(
        self, alice: User, new_account: AccountFactory
    ) -> None:
        for _ in range(5):
            new_account(alice)
        assert [text.count("\n") for text in export("jsonl", chunk_size=2)] == [2, 2, 1]

    def test_the_csv_of_no_account_has_its_header(self, db: None) -> None:
        assert "".join(export("csv")) == ",".join(COLUMNS) + "\r\n"
        assert "".join(export("jsonl")) == ""

    def test_a_cell_is_written_for_people(self, alice: User, new_account: AccountFactory) -> None:
        account = new_account(
            alice, "=HYPERLINK(1)", countries=["DE", "AT"], labels={"team": "Süd"}, is_default=True
        )
        Profile.objects.create(account=account, profile_id="1", region="EU", country_code="DE")
        [row] = csv.DictReader(io.StringIO("".join(export("csv"))))
        assert row["name"] == "'=HYPERLINK(1)"
        assert row["countries"] == "DE AT"
        assert row["labels"] == '{"team": "Süd"}'
        assert json.loads(row["profiles"])[0]["profile_id"] == "1"
        assert (row["is_default"], row["sync_enabled"], row["parent"]) == ("true", "true", "")

    def test_an_account_that_appears_meanwhile_does_not_repeat_others(
        self, alice: User, new_account: AccountFactory
    ) -> None:
        made = [str(new_account(alice).pk) for _ in range(3)]
        stream = stream_accounts(Account.objects.all(), "jsonl", chunk_size=2)
        first = next(stream)
        Account.objects.filter(pk=made[0]).update(name="a new name")
        added = str(new_account(alice).pk)
        lines = (first + "".join(stream)).splitlines()
        assert [json.loads(line)["id"] for line in lines] == [*made, added]
