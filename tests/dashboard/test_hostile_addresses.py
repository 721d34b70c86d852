"""No address makes the console fail: every page and every list of the admin, with whatever stands in the query string.

FUZZ_EXAMPLES is the number of query strings for each address; the suite takes few.
"""

import os
import re
from collections.abc import Iterator
from html import unescape
from typing import Any
from urllib.parse import parse_qsl, quote, urlsplit

import pytest
from django.contrib import admin
from django.contrib.auth.models import User
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver, reverse
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from accounts.batch import start_batch
from accounts.models import BatchOperation, Note
from tests.dashboard.conftest import LogIn, MakeAccount, MakeConnection, staff
from tokens.connect.links import make_connect_link
from tokens.models import AlertAddress, SavedView
from tokens.people.invitations import invite
from tokens.people.keys import make_api_key
from tokens.permissions import SYSTEM
from tokens.webhooks.manage import make_webhook, send_test

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "8"))
LOOKUPS = [
    "exact",
    "startswith",
    "regex",
    "iregex",
    "gt",
    "in",
    "isnull",
    "year",
    "date",
    "range",
    "contains",
]
ADMIN_NAMES = ["q", "o", "p", "all", "e", "_popup", "_to_field", "_facets", "_changelist_filters", "page"]
HOSTILE_NAMES = [
    "",
    "a\0b",
    "pk",
    "pk__in",
    "user__password__startswith",
    "x" * 3_000,
    "__",
    "a[",
    "search[]",
]
HOSTILE_VALUES = [
    "", "(", "[", "*", "a\0b", "%", "\\", "'", '"', "-1", "0", "1", "abc", "99999", "9" * 30, "9" * 5_000, "1e999", "NaN",
    "-", ".", "1.2.3", "-.5", "None", "true", "2026-13-45", "0000-00-00", "99999-01-01", "infinity", "{", "{}",
    '{"a": "\\u0000"}', '{"a": "\\ud800"}', "[" * 500, "a:b", "a:\0", ",", ",,", "\ud800", "\U0001f469\u200d", "\x1b[2J\r\n",
    "\u202e", "İ", "ß", "..", "../../etc/passwd", "<script>", "=1+1", "x" * 3_000, "00000000-0000-0000-0000-000000000000",
]  # fmt: skip


def quote_all(text: str) -> str:
    # A lone surrogate is no text for quote(), but anybody can send its bytes.
    return quote(text.encode("utf-8", "surrogatepass"), safe="")


def list_pages(resolver: URLResolver, prefix: str = "/") -> Iterator[tuple[str, URLPattern]]:
    for pattern in resolver.url_patterns:
        if isinstance(pattern, URLResolver):
            if pattern.namespace not in {"api", "admin"}:
                yield from list_pages(pattern, prefix + str(pattern.pattern))
        # No scheduler lives in a test, so this probe answers 503.
        elif pattern.name != "readyz" and not str(pattern.pattern).startswith("^"):
            yield prefix + str(pattern.pattern), pattern


@pytest.fixture
def client(transactional_db: None, log_in: LogIn) -> Client:
    client = log_in(User.objects.create_superuser("root"))
    client.raise_request_exception = False
    return client


@pytest.fixture
def ids(
    client: Client, make_connection: MakeConnection, make_account: MakeAccount, make_profile: Any
) -> dict[str, str]:
    """The ids of some of everything that another person owns."""
    owner = staff("alice", "Operator")
    connection = make_connection(owner)
    account = make_account(connection, "Garden", labels={"team": "north"})
    make_profile(account, "DE", "1")
    batch = start_batch(owner, "sync", filters={})
    key, _ = make_api_key(owner, owner, name="sheet")
    webhook, _ = make_webhook(SYSTEM, connection.team, url="https://hooks.example.com/", events=["*"])
    return {
        "account_id": str(account.pk),
        "view_id": str(SavedView.objects.create(user=owner, name="Mine").pk),
        "connection_id": str(connection.pk),
        "batch_id": str(batch.pk),
        "key_id": str(key.pk),
        "team_id": str(connection.team_id),
        "person_id": str(owner.pk),
        "invitation_id": str(invite(SYSTEM, connection.team, "nina@example.com", "viewer").pk),
        "link_id": str(make_connect_link(SYSTEM, connection.team, label="Copperleaf", owner=owner)[0].pk),
        "token": "no-such-token",
        "webhook_id": str(webhook.pk),
        "delivery_id": str(send_test(SYSTEM, webhook).pk),
        "address_id": str(
            AlertAddress.objects.create(team=connection.team, name="x", service="Slack", address="x").pk
        ),
        "note_id": str(Note.objects.create(account=account, author=owner, text="Ask Ana.").pk),
        "pk": "1",
        "code": "not-found",
    }


def list_addresses(ids: dict[str, str]) -> list[str]:
    pages = [
        re.sub(r"<\w+:(\w+)>", lambda match: ids[match[1]], path) for path, _ in list_pages(get_resolver())
    ]
    lists = [
        reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")
        for model in admin.site._registry
    ]
    return [
        *pages,
        *lists,
        "/admin/",
        "/admin/search/?extended=1",
        "/admin/search/",
        "/admin/login/",
        "/admin/jsi18n/",
    ]


def find_names(address: str, page: str) -> list[str]:
    """Return the parameters that the page's own links and fields have, or the fields of the model of an admin list."""
    links = (unescape(link) for link in re.findall(r'(?:href|action|hx-get)="([^"]*\?[^"]*)"', page))
    names = {name for link in links for name, _ in parse_qsl(urlsplit(link).query, keep_blank_values=True)}
    names |= set(re.findall(r'<(?:input|select)[^>]* name="([^"]+)"', page))
    for model in admin.site._registry:
        if address == reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist"):
            fields = [field.name for field in model._meta.get_fields()]
            names |= {f"{field}__{lookup}" for field in fields for lookup in LOOKUPS} | set(fields)
            names |= set(ADMIN_NAMES)
    return sorted(names)


def check(client: Client, address: str, caplog: pytest.LogCaptureFixture) -> str:
    caplog.clear()
    response: Any = client.get(address)
    text = b"".join(response.streaming_content) if response.streaming else response.content
    assert response.status_code < 500, address
    assert not [record for record in caplog.records if record.exc_info], address
    return str(text, errors="replace")


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_no_query_string_is_answered_with_an_error_of_ours(
    client: Client, ids: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    for address in list_addresses(ids):
        names = find_names(address, check(client, address, caplog))
        known = st.sampled_from([*names, "s", "page"])
        name = known | known | known | st.sampled_from(HOSTILE_NAMES)
        value = st.sampled_from([*HOSTILE_VALUES, *ids.values()]) | st.text(max_size=20)
        separator = "&" if "?" in address else "?"

        @settings(
            max_examples=EXAMPLES, deadline=None, database=None, derandomize=EXAMPLES <= 8,
            phases=[Phase.generate], suppress_health_check=list(HealthCheck),
        )  # fmt: skip
        @given(st.lists(st.tuples(name, value), min_size=1, max_size=3))
        def try_it(parameters: list[tuple[str, str]]) -> None:
            query = "&".join(f"{quote_all(name)}={quote_all(value)}" for name, value in parameters)
            check(client, f"{address}{separator}{query}", caplog)  # noqa: B023 - it is called in the same turn

        try_it()
    assert BatchOperation.objects.count() == 1


NAMED = [
    "/admin/search/?s=a%00b&extended=1",
    "/admin/search/?s=a&extended=1&page=abc",
    "/admin/search/?s=a&extended=1&page=99999",
    "/admin/search/?s=a&page=-1",
    "/admin/tokens/connection/?label__regex=(",
    "/admin/tokens/connection/?q=a%00b",
    "/admin/tokens/connection/?p=abc",
    "/admin/tokens/connection/?p=99999999999999999999",
    "/admin/tokens/connection/?o=99999999999999999999.-x",
    "/admin/tokens/connection/?_to_field=refresh_token",
    "/admin/tokens/tokenrefresh/?started_at_from_0=0000-99-99&started_at_to_1=x",
    "/admin/auth/user/?date_joined__year=99999999999",
    "/admin/auth/user/?id__exact=99999999999999999999999",
    "/admin/auth/user/?username__iregex=[",
    "/admin/accounts/account/%00/change/",
    "/admin/accounts/account/%ED%A0%80/change/",
    "/admin/accounts/account/x/history/",
    "/admin/auth/user/99999999999999999999999/change/",
    "/admin/auth/user/99999999999999999999999/history/",
    "/admin/auth/user/_00/change/",
    "/admin/procrastinate/procrastinatejob/99999999999999999999999/change/",
    "/admin/r/99999/x/",
    "/admin/autocomplete/?app_label=tokens&model_name=connection&field_name=owner&term=%00",
    "/admin/autocomplete/?app_label=%00&model_name=x&field_name=y",
    "/admin/autocomplete/?app_label=tokens&model_name=tokenrefresh&field_name=connection&term=a&page=abc",
    "/admin/autocomplete/?app_label=tokens&model_name=tokenrefresh&field_name=connection&term=%00",
    "/operations/00000000-0000-0000-0000-000000000000/?item=%00",
]


def test_an_address_that_nobody_meant_is_refused(
    client: Client, ids: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    # In one test, because emptying the tables takes a second.
    for address in NAMED:
        check(client, address, caplog)


def test_a_form_with_a_nul_character_is_refused(client: Client, ids: dict[str, str]) -> None:
    response = client.post("/operations/", {"operation": "sync", "account_ids": [ids["account_id"], "\0"]})
    assert response.status_code == 400
    assert BatchOperation.objects.count() == 1
