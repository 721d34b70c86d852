"""The export: all that match, once, harmless in a spreadsheet, in constant memory."""

import csv
import io
import json
import tracemalloc
from collections.abc import Iterator
from http import HTTPStatus
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.http import QueryDict, StreamingHttpResponse
from rest_framework.test import APIClient

from accounts.batch import start_batch
from accounts.lists.csv_text import FORMULA_STARTS, escape_formula, format_csv
from accounts.lists.export import COLUMNS, stream_accounts
from accounts.lists.parameters import read_account_query
from accounts.models import Account, Profile
from tests.accounts.conftest import AccountFactory, ClientFactory
from tests.teams import team_of
from tokens.models import AuditEntry
from tokens.permissions import SYSTEM

LIST = "/api/v1/accounts/"
EXPORT = "/api/v1/accounts/export/"


def text(response: Any) -> str:
    assert isinstance(response, StreamingHttpResponse), response.content
    return b"".join(response).decode()


@pytest.fixture
def accounts(alice: User, bob: User, new_account: AccountFactory) -> list[Account]:
    new_account(bob)
    made = [new_account(alice, f"Shop {number}", countries=["DE", "FR"]) for number in range(7)]
    Profile.objects.create(account=made[0], profile_id="1", region="EU", country_code="DE")
    return made


def test_json_lines_are_the_accounts_of_the_list(api: APIClient, accounts: list[Account]) -> None:
    response = api.get(EXPORT, {"format": "jsonl"})
    assert response["Content-Type"] == "application/x-ndjson"
    rows = [json.loads(line) for line in text(response).splitlines()]
    assert rows == api.get("/api/v1/accounts/?ordering=name").json()["results"]


def test_each_team_whose_accounts_are_exported_reads_it_in_its_trail(
    alice: User, bob: User, accounts: list[Account], client_of: ClientFactory
) -> None:
    def teams_of_export(person: User, **query: str) -> set[object]:
        before = list(AuditEntry.objects.values_list("pk", flat=True))
        text(client_of(person).get(EXPORT, query))
        written = AuditEntry.objects.filter(action="accounts.export").exclude(pk__in=before)
        return set(written.values_list("team_id", flat=True))

    root = User.objects.create_superuser("root")
    assert teams_of_export(alice) == {team_of(alice).pk}
    assert teams_of_export(root) == {team_of(alice).pk, team_of(bob).pk}
    assert teams_of_export(root, search="Shop 3") == {team_of(alice).pk}
    assert teams_of_export(root, search="nothing like it") == {None}


def test_csv_has_a_header_and_a_row_each(api: APIClient, accounts: list[Account]) -> None:
    response = api.get(EXPORT)
    assert response["Content-Type"] == "text/csv; charset=utf-8"
    assert response["Content-Disposition"].endswith('.csv"')
    rows = list(csv.DictReader(io.StringIO(text(response))))
    assert [row["id"] for row in rows] == [str(account.pk) for account in accounts]
    assert rows[0]["countries"] == "DE FR"
    assert json.loads(rows[0]["profiles"])[0]["profile_id"] == "1"
    assert (rows[0]["is_default"], rows[0]["parent"]) == ("false", "")
    assert set(rows[0]) == set(api.get("/api/v1/accounts/").json()["results"][0])


def test_excel_gets_a_mark_and_ids_as_text(api: APIClient, alice: User, new_account: AccountFactory) -> None:
    new_account(alice, "Käse", amazon_account_id="123456789012345678", labels={"note": "=1+1"})
    content = text(api.get(EXPORT, {"format": "csv", "for": "excel"}))
    assert content.startswith("\ufeffid,amazon_account_id,name,")
    (row,) = csv.DictReader(io.StringIO(content.removeprefix("\ufeff")))
    assert (row["amazon_account_id"], row["name"]) == ('="123456789012345678"', "Käse")
    plain = text(api.get(EXPORT, {"format": "csv"}))
    assert "\ufeff" not in plain
    assert ",123456789012345678," in plain


@pytest.mark.parametrize("query", [{"for": "excel", "format": "jsonl"}, {"for": "numbers"}, {"for": ""}])
def test_what_cannot_be_made_for_excel_is_refused(api: APIClient, query: dict[str, str]) -> None:
    response = api.get(EXPORT, query)
    assert response.status_code == HTTPStatus.BAD_REQUEST
    assert [error["field"] for error in response.json()["errors"]] == ["for"]


@pytest.mark.parametrize(
    ("cell", "shown"),
    [
        ("123456789012345678", '="123456789012345678"'),
        ("007", '="007"'),
        ("1.5", '="1.5"'),
        ("1E5", '="1E5"'),
        ("ENTITY1", "ENTITY1"),
        ("=1+1", "'=1+1"),
        ("-5", "'-5"),
        ("12 apostles", "12 apostles"),
        ("", ""),
    ],
)
def test_a_cell_that_looks_like_a_number_is_text_in_excel(cell: str, shown: str) -> None:
    assert next(csv.reader([format_csv([["x", cell]], for_excel=True)])) == ["x", shown]


@pytest.mark.parametrize("country", ["GB", "gb", "UK"])
def test_both_codes_of_the_united_kingdom_find_its_accounts(
    api: APIClient, alice: User, new_account: AccountFactory, country: str
) -> None:
    british = new_account(alice, "British", countries=["UK"])
    assert [row["id"] for row in api.get(LIST, {"country": country}).json()["results"]] == [str(british.pk)]
    rows = text(api.get(EXPORT, {"country": country, "format": "jsonl"})).splitlines()
    assert [json.loads(row)["id"] for row in rows] == [str(british.pk)]
    batch = start_batch(SYSTEM, "update", filters={"country": country}, options={"labels": {"a": "b"}})
    assert batch.total == 1
    query = read_account_query(QueryDict(f"country={country}"))
    assert start_batch(SYSTEM, "update", filters=query, options={"labels": {"a": "b"}}).total == 1


def test_it_has_what_matches(api: APIClient, accounts: list[Account]) -> None:
    rows = text(api.get(EXPORT, {"search": "shop 4", "format": "jsonl"})).splitlines()
    assert [json.loads(row)["name"] for row in rows] == ["Shop 4"]
    assert text(api.get(EXPORT, {"status": "pending"})) == ",".join(COLUMNS) + "\r\n"
    for wrong in ({"format": "xls"}, {"colour": "red"}, {"status": "x"}):
        assert api.get(EXPORT, wrong).status_code == 400


def test_it_ignores_the_page_of_the_dashboard(api: APIClient, accounts: list[Account]) -> None:
    page = "ordering=-name&view=table&cursor=abc&page_size=3"
    rows = text(api.get(f"{EXPORT}?format=jsonl&country=DE&{page}")).splitlines()
    assert [json.loads(row)["id"] for row in rows] == [str(account.pk) for account in accounts]


@pytest.mark.parametrize("accept", ["*/*", "text/csv", "application/x-ndjson", "application/json"])
def test_it_is_negotiated(api: APIClient, accounts: list[Account], accept: str) -> None:
    assert api.get(EXPORT, headers={"Accept": accept}).status_code == 200


@pytest.mark.parametrize("sign", [*FORMULA_STARTS, " =", "  @"])
def test_formulas_are_text(api: APIClient, alice: User, new_account: AccountFactory, sign: str) -> None:
    hostile = f'{sign}cmd|"/C calc"!A0'
    new_account(alice, hostile)
    [row] = csv.DictReader(io.StringIO(text(api.get(EXPORT)), newline=""))
    assert row["name"] == f"'{hostile}"
    assert json.loads(text(api.get(EXPORT, {"format": "jsonl"})))["name"] == hostile


def test_other_text_stays(db: None) -> None:
    for harmless in ("", "a=b", "Ünï", "'quoted'", "1", "{}", "amzn1.ads-account.g.1"):
        assert escape_formula(harmless) == harmless


def test_each_is_there_once_though_names_change(accounts: list[Account]) -> None:
    stream: Iterator[str] = stream_accounts(
        Account.objects.filter(user=accounts[0].user), "jsonl", chunk_size=3
    )
    seen = [next(stream)]
    for account in accounts:
        Account.objects.filter(pk=account.pk).update(name=f"Other {account.name}")
    seen += stream
    ids = [json.loads(line)["id"] for chunk in seen for line in chunk.splitlines()]
    assert ids == [str(account.pk) for account in accounts]


@pytest.mark.slow
def test_memory_does_not_grow_with_the_accounts(alice: User, new_account: AccountFactory) -> None:
    first = new_account(alice, metadata={"note": "x" * 2_000})

    def peak(number: int) -> int:
        missing = number - Account.objects.count()
        Account.objects.bulk_create(
            Account(
                team=first.team, user=alice, connection=first.connection, source="ads_accounts", status="active",
                amazon_account_id=f"{number}-{each}", metadata=first.metadata,
            )
            for each in range(missing)
        )  # fmt: skip
        tracemalloc.start()
        try:
            stream = stream_accounts(Account.objects.filter(user=alice), "csv", chunk_size=20)
            length = sum(len(chunk) for chunk in stream)
            return tracemalloc.get_traced_memory()[1] if length else 0
        finally:
            tracemalloc.stop()

    peak(20)
    assert peak(600) < 1.5 * peak(100)
