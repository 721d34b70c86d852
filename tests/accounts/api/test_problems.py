"""Every error of the API is answered as problem details."""

import json
import re
import time
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.db.models.functions import Now
from django.test import Client
from django.urls import reverse
from rest_framework import exceptions
from rest_framework.test import APIClient

from accounts.api import problems
from accounts.api.exceptions import UnavailableError
from accounts.api.parsing import MAX_BODY_BYTES
from accounts.batch import start_batch
from amazon_accounts.web import problems as types
from amazon_accounts.web.problems import PROBLEM_TYPES
from tests.accounts.conftest import AccountFactory, ClientFactory, person
from tests.api_keys import new_key
from tests.database_outage import DatabaseOutage
from tokens.models import ApiKey, Connection, RequestClock
from tokens.people.hand_out_pace import Pace
from tokens.people.request_pace import READS, WRITES, name_clock

LIST = "/api/v1/accounts/"
BATCH = "/api/v1/accounts/batch/"


def check(response: Any, status: int, code: str = "") -> dict[str, Any]:
    """Check that the answer is problem details, of this type if one is named, and return them."""
    assert response.status_code == status, response.content
    assert response["Content-Type"] == "application/problem+json"
    body: dict[str, Any] = json.loads(response.content)
    assert set(body) == {"type", "title", "status", "detail", "errors"}
    assert body["status"] == status
    assert body["detail"]
    by_address = {settings.PUBLIC_URL + each.path: each for each in PROBLEM_TYPES}
    found = by_address[body["type"]]
    assert (body["title"], body["status"]) == (found.title, found.status)
    assert code in {"", found.code}
    return body


class TestWhoAsks:
    def test_nobody_is_challenged(self, client: Client, db: None) -> None:
        response = client.get(LIST)
        check(response, 401, "not-signed-in")
        assert response["WWW-Authenticate"] == "Bearer"

    @pytest.mark.parametrize(
        "header",
        [
            "Token",
            "Bearer",
            "Bearer a b",
            "Token " + "f" * 64,
            "Token ä",
            "Bearer \x00",
            "Bearer aak_" + "f" * 43,
            "token " + "0" * 5000,
        ],
    )
    def test_a_bad_token_is_refused(self, client: Client, db: None, header: str) -> None:
        response = client.get(LIST, headers={"Authorization": header})
        check(response, 401, "key-refused")
        assert response["WWW-Authenticate"] == "Bearer"

    def test_another_scheme_is_nobody(self, client: Client, db: None) -> None:
        check(client.get(LIST, headers={"Authorization": "Basic abc"}), 401, "not-signed-in")

    def test_a_token_ends(self, api: APIClient, alice: User) -> None:
        assert api.get(LIST).status_code == 200
        ApiKey.objects.update(expires_at=Now())
        check(api.get(LIST), 401, "key-refused")

    def test_who_may_not_sign_in_may_not_ask(self, api: APIClient, alice: User) -> None:
        User.objects.update(is_active=False)
        check(api.get(LIST), 401)

    @pytest.mark.parametrize("scheme", ["Token", "token", "Bearer", "BEARER"])
    def test_a_key_is_sent_as_token_or_bearer(self, client: Client, alice: User, scheme: str) -> None:
        headers = {"Authorization": f"{scheme} {new_key(alice)}"}
        assert client.get(LIST, headers=headers).status_code == 200

    def test_a_session_serves_with_its_csrf_token(self, alice: User, new_account: AccountFactory) -> None:
        account = new_account(alice)
        client = Client(enforce_csrf_checks=True)
        client.force_login(alice)
        assert client.get(LIST).status_code == 200
        body, address = {"sync_enabled": False}, f"{LIST}{account.pk}"
        check(client.patch(address, body, content_type="application/json"), 403, "csrf-token-refused")
        client.cookies["csrftoken"] = token = "a" * 32
        headers = {"X-CSRFToken": token}
        assert (
            client.patch(address, body, content_type="application/json", headers=headers).status_code == 200
        )


class TestRequests:
    @pytest.mark.parametrize(
        "path",
        ["/api/v1/", "/api/v1/x", "/api/v1/accounts/x/", "/api/v1/accounts//", "/api/v1/connections/1/sync"],
    )
    def test_an_unknown_address(self, client: Client, db: None, path: str) -> None:
        check(client.get(path), 404, "not-found")
        check(client.post(path), 404)

    def test_a_wrong_method(self, api: APIClient) -> None:
        for method in ("post", "put", "delete", "options"):
            response = getattr(api, method)(LIST)
            check(response, 405, "method-not-allowed")
            assert "GET" in response["Allow"]

    def test_a_media_type_that_we_do_not_have(self, api: APIClient) -> None:
        check(api.get(LIST, headers={"Accept": "text/html"}), 406, "not-acceptable")
        check(api.get(f"{LIST}export/", headers={"Accept": "text/html"}), 406)

    def test_a_media_type_that_we_do_not_read(self, api: APIClient) -> None:
        for media_type in ("text/plain", "application/x-www-form-urlencoded", "application/xml", "nonsense"):
            check(api.post(BATCH, "operation=sync", content_type=media_type), 415, "unsupported-media-type")

    @pytest.mark.parametrize(
        "body",
        [
            b"{",
            b"\xff",
            b'{"operation": NaN}',
            b'{"operation": 1e999}',
            b'{"operation": "\\ud800"}',
            b'{"operation": "a\\u0000b"}',
            b'{"a\\u0000b": 1}',
            b"[" * 100_000,
            b"[" * 33 + b"]" * 33,
            b'{"a":' * 5_000 + b"1" + b"}" * 5_000,
            b"1" * 5_000,
            b"nul",
        ],
        ids=lambda body: body[:20].decode(errors="replace"),
    )
    def test_a_body_that_cannot_be_read(self, api: APIClient, body: bytes) -> None:
        began = time.thread_time()
        check(api.post(BATCH, body, content_type="application/json"), 400)
        assert time.thread_time() - began < 0.5

    def test_a_body_that_is_no_json_and_a_field_that_breaks_its_rule_are_two_types(
        self, api: APIClient
    ) -> None:
        check(api.post(BATCH, b"{", content_type="application/json"), 400, "malformed-request")
        check(api.post(BATCH, b"{}", content_type="application/json"), 400, "invalid-request")

    @pytest.mark.parametrize(
        ("body", "field"),
        [
            ({"operation": "a\0b"}, "operation"),
            ({"operation": "sync", "filter": {"search": "a\0b"}}, "filter.search"),
            ({"operation": "sync", "account_ids": ["a", "\0"]}, "account_ids"),
            ({"operation": "update", "options": {"labels": {"a": "\0"}}}, "options.labels"),
            ({"operation": "update", "options": {"labels": {"a\0b": "c"}}}, "options.labels"),
            ({"operation": "sync", "filter": {"a\0b": "c"}}, "filter"),
            ({"operation": "sync", "account_ids": [10**30]}, "account_ids"),
            ({"operation": "sync", "filter": {"labels": json.loads("[" * 40 + "]" * 40)}}, "filter.labels"),
        ],
    )
    def test_what_cannot_be_stored_is_named_by_its_field(self, api: APIClient, body: Any, field: str) -> None:
        answer = check(api.post(BATCH, body, format="json"), 400, "invalid-request")
        [error] = answer["errors"]
        assert error["field"] == field
        assert answer["detail"] == f"{field}: {error['detail']}"

    @pytest.mark.parametrize(
        ("body", "field"),
        [
            (b'{"operation": "sync", "filter": {}, "operation": "disconnect"}', "operation"),
            (b'{"operation": "update", "options": {"labels": {"a": "1", "a": "2"}}}', "options.labels"),
            (b'{"operation": ' + b"9" * 5_000 + b"}", "operation"),
            (b'{"operation": "sync", "account_ids": [1e999]}', "account_ids"),
            (b'{"operation": "update", "options": {"labels": {"a": "\\ud800"}}}', "options.labels"),
        ],
    )
    def test_what_may_mean_two_things_or_none_is_refused(
        self, api: APIClient, body: bytes, field: str
    ) -> None:
        [error] = check(api.post(BATCH, body, content_type="application/json"), 400)["errors"]
        assert error["field"] == field

    @pytest.mark.parametrize("address", ["/api/v1/schema/", "/api/v1/docs/"])
    def test_an_address_that_answers_no_json_itself(self, api: APIClient, address: str) -> None:
        check(api.post(address), 405)
        check(api.get(address, headers={"Accept": "image/png"}), 406)

    def test_a_body_that_is_too_large(self, api: APIClient) -> None:
        check(
            api.post(BATCH, b" " * (MAX_BODY_BYTES + 1), content_type="application/json"),
            413,
            "content-too-large",
        )
        check(api.post(BATCH, b" " * MAX_BODY_BYTES, content_type="application/json"), 400)

    def test_a_body_where_none_belongs(
        self, api: APIClient, alice: User, new_account: AccountFactory
    ) -> None:
        address = f"/api/v1/connections/{new_account(alice).connection_id}/refresh/"
        check(api.post(address, {"force": True}, format="json"), 400)
        check(api.post(address, "force=1", content_type="application/x-www-form-urlencoded"), 415)

    def test_more_parameters_than_anybody_needs(self, api: APIClient) -> None:
        check(
            api.get(f"{LIST}?{'&'.join(f'a{number}=1' for number in range(2_000))}"), 400, "malformed-request"
        )

    def test_several_things_at_once(self, api: APIClient) -> None:
        body = check(api.get(f"{LIST}?status=x&health=y&colour=z"), 400)
        assert [error["field"] for error in body["errors"]] == ["colour"]
        body = check(api.get(f"{LIST}?status=x&health=y"), 400)
        assert [error["field"] for error in body["errors"]] == ["status", "health"]
        assert body["detail"] == "2 things are wrong with the request; nothing was done."

    @pytest.mark.parametrize("where", ["body", "options", "filter", "changes"])
    def test_of_very_many_things_twenty_are_named(
        self, api: APIClient, alice: User, new_account: AccountFactory, where: str
    ) -> None:
        account, unknown = new_account(alice), {f"a{number}": "1" for number in range(1_020)}
        sync, update = {"operation": "sync"}, {"operation": "update", "account_ids": [str(account.pk)]}
        bodies = {
            "body": {**sync, **unknown},
            "options": {**update, "options": unknown},
            "filter": {**sync, "filter": unknown},
        }
        if where == "changes":
            response = api.patch(f"{LIST}{account.pk}/", unknown, format="json")
        else:
            response = api.post(BATCH, bodies[where], format="json")
        self.check_twenty(response)

    def test_of_many_parameters_twenty_are_named(self, api: APIClient) -> None:
        unknown = {f"a{number}": "1" for number in range(900)}
        for address in (LIST, "/api/v1/connections/"):
            self.check_twenty(api.get(address, unknown), more=880)

    def check_twenty(self, response: Any, more: int = 1_000) -> None:
        errors = check(response, 400)["errors"]
        assert [error["field"].split(".")[-1] for error in errors] == [f"a{number}" for number in range(20)]
        assert [error["detail"].endswith(f". And {more:,} more are wrong.") for error in errors] == [
            *[False] * 19, True
        ]  # fmt: skip


def spend_burst(user: User, pace: Pace) -> None:
    # As if it had been asked for in five seconds, so that the pace does not allow the next request meanwhile.
    key = ApiKey.objects.filter(user=user).earliest("created_at")
    ahead_until = Now() + timedelta(seconds=pace.window + 5)
    RequestClock.objects.create(key=name_clock(f"key {key.pk}", pace), ahead_until=ahead_until)


class TestThrottle:
    def test_it_says_when_to_try_again(self, api: APIClient, alice: User) -> None:
        spend_burst(alice, READS)
        response = api.get(LIST)
        check(response, 429, "too-many-requests")
        assert 4 <= int(response["Retry-After"]) <= 6

    def test_it_counts_writes_apart_from_reads(
        self, api: APIClient, alice: User, new_account: AccountFactory
    ) -> None:
        address = f"{LIST}{new_account(alice).pk}/"
        spend_burst(alice, WRITES)
        check(api.patch(address, {"sync_enabled": False}, format="json"), 429)
        assert api.get(address).json()["sync_enabled"] is True

    def test_it_counts_each_person_apart(
        self, api: APIClient, alice: User, bob: User, client_of: ClientFactory
    ) -> None:
        spend_burst(alice, READS)
        check(api.get(LIST), 429)
        assert client_of(bob).get(LIST).status_code == 200

    def test_it_counts_each_key_apart(self, api: APIClient, alice: User, client_of: ClientFactory) -> None:
        spend_burst(alice, READS)
        check(api.get(LIST), 429)
        assert client_of(alice).get(LIST).status_code == 200

    def test_each_answer_says_how_many_requests_are_left(self, api: APIClient) -> None:
        first, second = api.get(LIST), api.get(f"{LIST}{uuid4()}/")
        assert (first.status_code, second.status_code) == (200, 404)
        assert first["RateLimit-Policy"] == '"reads";q=1000;w=10'
        assert first["RateLimit"] == '"reads";r=999;t=1'
        assert second["RateLimit"].startswith('"reads";r=99')
        assert (
            api.post("/api/v1/accounts/batch/", {}, format="json")["RateLimit-Policy"]
            == '"writes";q=200;w=10'
        )

    def test_an_answer_429_says_that_none_is_left(self, api: APIClient, alice: User) -> None:
        spend_burst(alice, READS)
        response = api.get(LIST)
        assert response.status_code == 429
        assert re.fullmatch(r'"reads";r=0;t=1[45]', response["RateLimit"])

    def test_who_is_not_signed_in_has_no_limit_to_be_told(self, client: Client, db: None) -> None:
        assert "RateLimit" not in client.get(LIST)


class TestOurFaults:
    @pytest.mark.parametrize("method", ["get", "post"])
    def test_a_database_that_is_away(
        self, api: APIClient, database_outage: DatabaseOutage, method: str
    ) -> None:
        with database_outage:
            response = getattr(api, method)(LIST)
        check(response, 503, "database-unavailable")
        assert response["Retry-After"] == "5"
        assert api.get(LIST).status_code == 200

    def test_a_bug_is_left_to_django(self) -> None:
        assert problems.handle(ZeroDivisionError(), {}) is None

    @pytest.mark.urls("tests.accounts.api.failing_urls")
    def test_a_bug_is_answered_with_a_reference_to_the_log(self, alice: User) -> None:
        client = Client(raise_request_exception=False)
        client.force_login(alice)
        answer = check(client.get("/api/v1/failing/"), 500, "internal-error")
        assert "Its reference in the log is" in answer["detail"]
        assert "secret detail" not in answer["detail"]

    def test_a_host_that_is_not_allowed(self, client: Client, db: None) -> None:
        check(client.get(LIST, headers={"Host": "elsewhere.example"}), 400, "malformed-request")

    def test_a_permission_may_be_named_in_words(self, db: None) -> None:
        response = problems.handle(PermissionDenied("Not on Sundays."), {})
        assert response is not None
        assert response.data["detail"] == "Not on Sundays."


class TestConflicts:
    def test_a_connection_that_cannot_be_used(
        self, api: APIClient, alice: User, new_account: AccountFactory
    ) -> None:
        connection = new_account(alice).connection
        Connection.objects.update(state=Connection.State.REAUTHORIZATION_REQUIRED)
        check(api.post(f"/api/v1/connections/{connection.pk}/sync/"), 409, "connection-unusable")

    def test_an_operation_that_has_no_failure(
        self, api: APIClient, alice: User, new_account: AccountFactory
    ) -> None:
        new_account(alice)
        batch = start_batch(alice, "sync", filters={})
        check(api.post(f"{BATCH}{batch.pk}/retry/"), 409, "operation-state")

    def test_a_change_of_another_version(
        self, api: APIClient, alice: User, new_account: AccountFactory
    ) -> None:
        address, headers = f"{LIST}{new_account(alice).pk}/", {"If-Match": '"0"'}
        response = api.patch(address, {"sync_enabled": False}, format="json", headers=headers)
        check(response, 412, "version-conflict")


class TestTypes:
    def test_each_code_is_the_last_part_of_an_address_of_its_own(self) -> None:
        assert len({each.path for each in PROBLEM_TYPES}) == len(PROBLEM_TYPES)
        for each in PROBLEM_TYPES:
            assert re.fullmatch(r"[a-z]+(-[a-z]+)*", each.code)
            assert reverse("api-error", args=[each.code]) == each.path

    def test_every_type_is_listed(self) -> None:
        defined = {each for each in vars(types).values() if isinstance(each, types.ProblemType)}
        assert defined == set(PROBLEM_TYPES)

    def test_the_codes_are_the_ones_that_clients_know(self) -> None:
        # A code is taken away or renamed only with a new version of the API.
        assert {f"{each.status:d} {each.code}" for each in PROBLEM_TYPES} == {
            "400 invalid-request",
            "400 malformed-request",
            "401 key-refused",
            "401 not-signed-in",
            "403 csrf-token-refused",
            "403 not-permitted",
            "403 second-factor-required",
            "404 not-found",
            "405 method-not-allowed",
            "406 not-acceptable",
            "408 body-too-late",
            "409 connection-unusable",
            "409 move-refused",
            "409 operation-state",
            "409 webhook-state",
            "412 version-conflict",
            "413 content-too-large",
            "414 address-too-long",
            "415 unsupported-media-type",
            "429 too-many-requests",
            "431 headers-too-large",
            "500 internal-error",
            "503 busy",
            "503 database-unavailable",
            "503 token-not-ready",
        }

    def test_every_error_of_the_framework_has_a_type(self) -> None:
        # Whoever raises UnavailableError says which type it is.
        kinds = set(exceptions.APIException.__subclasses__()) - {UnavailableError}
        assert [kind for kind in kinds if not issubclass(kind, tuple(problems.TYPES))] == []


def test_a_stranger_sees_nothing(client: Client, db: None) -> None:
    client.force_login(person("stranger", ""))
    assert client.get(LIST).json() == {"results": [], "next": None, "previous": None}
