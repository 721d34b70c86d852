"""How `connect` reads the logins that a person gives it."""

import csv
import io
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from django.core.management.base import CommandError
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from amazon_accounts.given_files import BYTE_ORDER_MARK
from tokens.management.logins import read_login, read_row, read_rows, read_token

TOKEN = "Atzr|IwEBIAsecret"
MISPLACED = "A token is where none belongs; a text with a comma in it must be in quotes."
tokens = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1, max_size=200)


def rows_of(text: str) -> list[tuple[int, list[str]]]:
    return list(read_rows("-", io.StringIO(text)))


class TestLogin:
    def test_a_label_and_a_token_are_enough(self) -> None:
        login = read_login(" Garden shop ", TOKEN, "", "")
        assert (login.label, login.refresh_token) == ("Garden shop", TOKEN)
        assert (login.regions, login.consented_at) == ([], None)

    def test_the_token_is_not_in_the_representation(self) -> None:
        assert "secret" not in repr(read_login("Garden shop", TOKEN, "NA", ""))

    @given(end=tokens)
    def test_any_plain_characters_may_follow_the_prefix_of_a_refresh_token(self, end: str) -> None:
        assert read_login("Garden shop", f"Atzr|{end}", "", "").refresh_token == f"Atzr|{end}"

    @pytest.mark.parametrize(
        "token",
        ["", " ", "Garden-shop", "secret", "Atzr|", "atzr|a", "Atzr%7Ca", "Atzr|a b", "Atzr|a\tb", "Atzr|a\nb",
         "Atzr|ä", "Atzr|\x7f", "Atzr|" + "x" * 2044],
    )  # fmt: skip
    def test_a_text_that_cannot_be_a_token_is_refused(self, token: str) -> None:
        with pytest.raises(CommandError, match="This is no refresh token"):
            read_login("Garden shop", token, "", "")

    def test_an_access_token_is_named_as_such(self) -> None:
        with pytest.raises(CommandError, match="This is an access token"):
            read_login("Garden shop", "Atza|secret", "", "")

    @pytest.mark.parametrize("label", ["", "  ", "x" * 201, "a\0b", "a\x1b[2J"])
    def test_a_label_has_1_to_200_printable_characters(self, label: str) -> None:
        with pytest.raises(CommandError, match="The label is wrong"):
            read_login(label, TOKEN, "", "")
        assert read_login("x" * 200, TOKEN, "", "").label == "x" * 200

    @pytest.mark.parametrize(
        "texts",
        [
            (TOKEN, "", ""),
            ("Garden shop", TOKEN, ""),
            ("Garden shop", "", TOKEN),
            ("my atzr%7Csecret", "", ""),
            ("ATZA|x", "", ""),
        ],
    )
    def test_a_token_in_another_place_is_refused(self, texts: tuple[str, str, str]) -> None:
        label, regions, consented_at = texts
        with pytest.raises(CommandError) as raised:
            read_login(label, TOKEN, regions, consented_at)
        assert str(raised.value) == MISPLACED

    def test_an_unknown_region_is_refused(self) -> None:
        with pytest.raises(CommandError, match="Unknown region"):
            read_login("Garden shop", TOKEN, "NA,XX", "")

    @given(day=st.dates(min_value=date(2000, 1, 1), max_value=date(2025, 12, 31)))
    def test_a_consent_counts_from_the_begin_of_its_day(self, day: date) -> None:
        login = read_login("Garden shop", TOKEN, "", f" {day.isoformat()} ")
        assert login.consented_at == datetime(day.year, day.month, day.day, tzinfo=UTC)

    def test_a_consent_cannot_be_in_the_future(self) -> None:
        tomorrow = (timezone.now() + timedelta(days=1)).date()
        with pytest.raises(CommandError, match="in the future"):
            read_login("Garden shop", TOKEN, "", tomorrow.isoformat())

    @pytest.mark.parametrize("text", ["soon", "2026-13-01", "01.08.2026", "2026-08-01T10:00"])
    def test_another_form_of_a_date_is_refused(self, text: str) -> None:
        with pytest.raises(CommandError, match="a date like 2026-08-01"):
            read_login("Garden shop", TOKEN, "", text)


class TestRows:
    @given(
        table=st.lists(
            st.lists(st.text("abc ,\"'\nÄ", max_size=6).map(str.strip), min_size=1, max_size=4), max_size=5
        )
    )
    def test_every_row_of_a_csv_file_is_read_as_it_was_written(self, table: list[list[str]]) -> None:
        file = io.StringIO()
        csv.writer(file).writerows(table)
        assert [cells for _, cells in rows_of(file.getvalue())] == [row for row in table if any(row)]

    def test_rows_are_numbered_by_their_last_line(self) -> None:
        text = 'label,refresh_token\n\n"two\nlines",x\nB,y\n'
        assert rows_of(text) == [(4, ["two\nlines", "x"]), (5, ["B", "y"])]

    def test_only_the_first_row_may_be_a_header(self) -> None:
        header = "label,refresh_token"
        assert [cells for _, cells in rows_of(f"{header}\nA,x\n{header}\n")] == [
            ["A", "x"],
            ["label", "refresh_token"],
        ]

    def test_missing_columns_are_empty(self) -> None:
        login = read_row(["Garden shop", TOKEN])
        assert (login.regions, login.consented_at) == ([], None)

    def test_all_columns_are_read(self) -> None:
        login = read_row(["Garden shop", TOKEN, "na,EU", "2026-08-01"])
        assert login.regions == ["NA", "EU"]
        assert login.consented_at == datetime(2026, 8, 1, tzinfo=UTC)

    def test_further_columns_are_ignored_unless_one_holds_a_token(self) -> None:
        assert read_row(["Garden shop", TOKEN, "", "", "a note"]).label == "Garden shop"
        with pytest.raises(CommandError, match="A token is where none belongs"):
            read_row(["Garden shop", TOKEN, "", "", TOKEN])

    @pytest.mark.parametrize("delimiter", [",", ";", "\t"])
    @pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
    @pytest.mark.parametrize("header", ["label,refresh_token,regions", ""])
    def test_the_forms_in_which_windows_saves_a_table_are_read(
        self, tmp_path: Path, delimiter: str, encoding: str, header: str
    ) -> None:
        path = tmp_path / "logins.csv"
        text = f"{header}\nGarden Ä,{TOKEN},EU\n".lstrip().replace(",", delimiter)
        path.write_bytes(text.encode(encoding))
        assert [cells for _, cells in read_rows(str(path), io.StringIO())] == [["Garden Ä", TOKEN, "EU"]]

    def test_regions_with_commas_need_no_quotes_between_semicolons(self) -> None:
        assert rows_of(f"A;{TOKEN};NA,EU\nB;{TOKEN};\n")[0] == (1, ["A", TOKEN, "NA,EU"])

    def test_a_header_may_name_the_columns_in_another_order(self) -> None:
        ((_, cells),) = rows_of(f"note;Refresh_Token;consented_at;Label\nx;{TOKEN};2026-08-01;Garden\n")
        assert cells == ["Garden", TOKEN, "", "2026-08-01", "x"]
        login = read_row(cells)
        assert (login.label, login.refresh_token) == ("Garden", TOKEN)

    def test_swapped_columns_without_a_header_are_refused(self) -> None:
        ((_, cells),) = rows_of(f"{TOKEN},Garden\n")
        with pytest.raises(CommandError) as raised:
            read_row(cells)
        assert "Atzr" not in str(raised.value).removesuffix("`Atzr|...`.")

    def test_a_file_that_is_not_csv_is_named_with_its_line(self) -> None:
        with pytest.raises(CommandError, match="Standard input is not a CSV file: see line 2"):
            rows_of("A,x\n" + "x" * (csv.field_size_limit() + 1))

    @pytest.mark.parametrize("name", ["missing.csv", ""])
    def test_a_file_that_cannot_be_read_is_named(self, tmp_path: Path, name: str) -> None:
        path = tmp_path / name
        with pytest.raises(CommandError, match="cannot be read") as raised:
            list(read_rows(str(path), io.StringIO()))
        assert str(raised.value).startswith(str(path))


class TestToken:
    @pytest.mark.parametrize(
        "text", [TOKEN, f"{TOKEN}\n", f"  {TOKEN}\r\n", f"{BYTE_ORDER_MARK}{TOKEN}\n", f"{TOKEN}\nnext\n"]
    )
    def test_the_first_line_is_the_token(self, text: str) -> None:
        assert read_token(io.StringIO(text)) == TOKEN

    @pytest.mark.parametrize("text", ["", "\n", "   \n", BYTE_ORDER_MARK])
    def test_an_empty_line_is_no_token(self, text: str) -> None:
        with pytest.raises(CommandError, match="There is no refresh token on standard input"):
            read_token(io.StringIO(text))

    @pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
    def test_a_token_may_come_from_windows(self, encoding: str) -> None:
        content = f"{TOKEN}\r\nnext\r\n".encode(encoding)
        assert read_token(io.TextIOWrapper(io.BytesIO(content), encoding="ascii")) == TOKEN

    def test_bytes_that_are_not_utf_8_are_no_token(self) -> None:
        with pytest.raises(CommandError, match="not text in UTF-8") as raised:
            read_token(io.TextIOWrapper(io.BytesIO(b"\xff\n"), encoding="utf-8"))
        assert raised.value.__cause__ is None
