"""The files with ids that `batch --ids` reads."""

import io
from pathlib import Path

import pytest
from django.contrib.auth.models import User
from django.core.management import call_command
from django.core.management.base import CommandError

from accounts.lists.csv_text import format_csv
from accounts.models import BatchOperation
from tests.accounts.conftest import AccountFactory

pytestmark = pytest.mark.django_db(transaction=True)


def label(content: bytes, path: Path) -> int:
    """Label the accounts of this file, and return how many there are."""
    path.write_bytes(content)
    call_command("batch", "update", ids=str(path), labels='{"a": "b"}', stdout=io.StringIO())
    return BatchOperation.objects.get().total


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("form", ["{0}\r\n{1}\r\n", "{0};{1}", "{0},{1}\n", '"{0}";\n"{1}";\n', "{0} {1}"])
def test_the_forms_in_which_windows_saves_a_file_are_read(
    alice: User, new_account: AccountFactory, tmp_path: Path, encoding: str, form: str
) -> None:
    text = form.format(new_account(alice).pk, new_account(alice).pk)
    assert label(text.encode(encoding), tmp_path / "ids.txt") == 2


@pytest.mark.parametrize("for_excel", [False, True])
@pytest.mark.parametrize("header", [("name", "id", "status"), ("amazon_account_id", "account_id", "result")])
def test_an_export_names_its_column_with_the_ids(
    alice: User, new_account: AccountFactory, tmp_path: Path, header: tuple[str, ...], for_excel: bool
) -> None:
    rows = [header, *(("123", str(new_account(alice).pk), "x") for _ in range(2))]
    content = format_csv(rows, for_excel=for_excel).encode("utf-8-sig")
    assert label(content, tmp_path / "export.csv") == 2


def test_a_file_that_is_no_text_is_named(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match=r"ids\.txt is not text in UTF-8 or UTF-16"):
        label(b"\xff\x00\xff", tmp_path / "ids.txt")
