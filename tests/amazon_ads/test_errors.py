"""Every row of the table of errors: the sandbox produces it, the client names it."""

import re
from typing import Any

import pytest

from amazon_accounts.amazon_ads import errors
from amazon_accounts.amazon_ads.client import AdsApi
from amazon_accounts.amazon_ads.error_reader import build_api_error, read_refusal
from amazon_accounts.amazon_ads.errors import (
    AmazonError,
    ForbiddenError,
    NotFoundError,
    PermanentError,
    PostponedError,
    ThrottledError,
    TransientError,
    UnauthorizedError,
    UnreachableError,
    UnreadableAnswerError,
)
from amazon_accounts.sandbox.state import Sandbox
from tests.amazon_ads.conftest import OWN_TABLES, AdsApiFactory, GivenTokens

KINDS = {"transient", "throttled", "reauthorise", "forbidden", "config", "permanent"}


def error_classes(base: type[AmazonError] = AmazonError) -> list[type[AmazonError]]:
    children = [child for child in base.__subclasses__() if child.__module__ == errors.__name__]
    return [base, *(found for child in children for found in error_classes(child))]


def test_the_tree_is_drawn_at_the_top() -> None:
    for error_class in [*error_classes(), PostponedError]:
        assert re.search(rf"\b{error_class.__name__}\b", errors.__doc__ or ""), error_class


@pytest.mark.parametrize("error_class", error_classes())
def test_every_error_is_a_sentence_with_its_request_id(error_class: type[AmazonError]) -> None:
    assert error_class.kind in KINDS
    assert str(error_class()) == error_class.__doc__
    assert str(error_class("It failed", request_id="abc")) == "It failed (Amazon's request id: abc)"


#: Kind of fault, its options, the error, and whether it is worth another try.
API_FAULTS: list[tuple[str, dict[str, Any], type[AmazonError], bool]] = [
    ("error_500", {}, TransientError, True),
    ("error_503", {}, TransientError, True),
    ("error_500_html", {}, TransientError, True),
    ("request_timeout", {}, TransientError, True),
    ("bad_gateway", {}, TransientError, True),
    ("unavailable_html", {}, TransientError, True),
    ("gateway_timeout", {}, TransientError, True),
    ("busy", {}, ThrottledError, True),
    ("busy", {"status": 400}, ThrottledError, True),
    ("throttle", {"retry_after": "absent"}, ThrottledError, True),
    ("throttle_html", {"retry_after": "absent"}, ThrottledError, True),
    ("empty", {}, UnreadableAnswerError, True),
    ("html", {}, UnreadableAnswerError, True),
    ("wrong_type", {}, UnreadableAnswerError, True),
    ("truncated", {}, UnreadableAnswerError, True),
    ("gzip_broken", {}, UnreadableAnswerError, True),
    ("huge", {"megabytes": 21}, UnreadableAnswerError, True),
    ("drop", {}, UnreachableError, True),
    ("no_access_to_scope", {}, ForbiddenError, False),
    ("no_access_to_scope", {"status": 403}, ForbiddenError, False),
    ("no_advertiser_for_scope", {}, ForbiddenError, False),
    ("forbidden", {}, ForbiddenError, False),
    ("plain_text", {}, PermanentError, False),
    ("answer", {"status": 400, "json": {"code": "INVALID_ARGUMENT"}}, PermanentError, False),
    ("answer", {"status": 400, "json": {"details": "Scope header is missing"}}, PermanentError, False),
    ("answer", {"status": 401, "json": {"details": "Scope header is missing"}}, PermanentError, False),
    ("answer", {"status": 403, "json": {"message": "Missing Authentication Token"}}, PermanentError, False),
    ("answer", {"status": 403, "body": ""}, ForbiddenError, False),
    ("answer", {"status": 404, "json": {"code": "NOT_FOUND"}}, NotFoundError, False),
    ("answer", {"status": 405, "body": ""}, PermanentError, False),
    ("answer", {"status": 406, "body": ""}, PermanentError, False),
    ("answer", {"status": 415, "json": {"code": "415"}}, PermanentError, False),
    ("answer", {"status": 422, "json": {"message": "no"}}, PermanentError, False),
    (
        "answer",
        {"status": 302, "headers": {"Location": "http://elsewhere.test/"}, "body": ""},
        PermanentError,
        False,
    ),
    ("answer", {"status": 418, "body": ""}, PermanentError, False),
    ("answer", {"status": 520, "body": ""}, TransientError, True),
    ("answer", {"status": 204, "body": ""}, UnreadableAnswerError, True),
]

CALLS = ["profiles", "managers", "accounts", "dsp"]


async def call(api: AdsApi, name: str, sandbox: Sandbox) -> None:
    if name == "profiles":
        await api.profiles("NA", "view")
    elif name == "managers":
        await api.manager_accounts("NA")
    elif name == "accounts":
        async for _ in api.ads_accounts("NA"):
            pass
    else:
        (agency,) = sandbox.truth("alice")["dsp_advertisers"]
        async for _ in api.dsp_advertisers("NA", agency):
            pass


@OWN_TABLES
@pytest.mark.parametrize(("kind", "options", "error_class", "is_repeated"), API_FAULTS)
async def test_it_names_the_error_and_repeats_what_is_worth_it(
    api_for: AdsApiFactory,
    sandbox: Sandbox,
    kind: str,
    options: dict[str, Any],
    error_class: type[AmazonError],
    is_repeated: bool,
) -> None:
    sandbox.faults.add(kind, **options)
    with pytest.raises(AmazonError) as raised:
        await call(api_for(), "profiles", sandbox)
    assert type(raised.value) is error_class
    assert sandbox.journal.count() == (5 if is_repeated else 1)
    if kind != "drop":
        last = list(sandbox.journal)[-1]
        assert last.request_id in str(raised.value) or raised.value.request_id


@OWN_TABLES
@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize("kind", ["error_500", "busy", "bad_gateway", "empty", "forbidden", "unauthorized"])
async def test_every_endpoint_tells_its_errors_and_their_request_id(
    api_for: AdsApiFactory, sandbox: Sandbox, name: str, kind: str
) -> None:
    sandbox.faults.add(kind)
    with pytest.raises(AmazonError) as raised:
        await call(api_for(token=GivenTokens("Atza|one", "Atza|two")), name, sandbox)
    expected = {
        "error_500": TransientError,
        "busy": ThrottledError,
        "bad_gateway": TransientError,
        "empty": UnreadableAnswerError,
        "forbidden": ForbiddenError,
        "unauthorized": UnauthorizedError,
    }
    assert type(raised.value) is expected[kind]
    assert raised.value.request_id
    assert f"(Amazon's request id: {raised.value.request_id})" in str(raised.value)


@OWN_TABLES
@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize("kind", ["error_503", "throttle", "throttle_html", "truncated", "drop", "busy"])
async def test_what_passes_is_got_over(
    api_for: AdsApiFactory, sandbox: Sandbox, name: str, kind: str
) -> None:
    sandbox.choices.change({"retry_after": "absent"})
    sandbox.faults.add(kind, count=2)
    await call(api_for(), name, sandbox)
    assert sandbox.journal.count() == 3


@pytest.mark.parametrize(
    ("body", "code", "text"),
    [
        (
            b'{"code":"UNAUTHORIZED","details":"HTTP 401 Unauthorized"}',
            "UNAUTHORIZED",
            "HTTP 401 Unauthorized",
        ),
        (b'{"code":"X","description":"why"}', "X", "why"),
        (b'{"errors":[{"errorId":1,"errorCode":"A","errorMessage":"m"}]}', "A", "m"),
        (b'{"message":"Too Many Requests"}', "", "Too Many Requests"),
        (b'{"code":"FORBIDDEN","message":"m"}', "FORBIDDEN", "m"),
        (
            b'{"message":"Bad Request","errors":[{"errorType":"P","field":"c","message":"m"}]}',
            "P",
            "Bad Request",
        ),
        (b'{"error":"invalid_grant","error_description":"d"}', "invalid_grant", "d"),
        (b'[{"code":"A","details":"d"}]', "A", "d"),
        (b"<html><title>400 Bad Request</title><p>no</p></html>", "", "400 Bad Request no"),
        (b"Invalid request: x", "", "Invalid request: x"),
        (b"", "", ""),
        (b'{"code":null,"details":{"a":1},"errors":"x","message":7}', "", ""),
        (b'{"errors":[]}', "", ""),
        (b"[[]]", "", ""),
        (b"\xff\xfe", "", "\ufffd\ufffd"),
    ],
)
def test_it_reads_every_shape(body: bytes, code: str, text: str) -> None:
    refusal = read_refusal(400, {}, body)
    assert (refusal.code, refusal.text) == (code, text)


@pytest.mark.parametrize(
    ("headers", "body", "request_id"),
    [
        (
            {"x-amzn-requestid": "a", "x-amz-request-id": "b", "x-amz-rid": "c"},
            b'{"requestId":"body"}',
            "body",
        ),
        ({"x-amzn-requestid": "a"}, b'{"request_id":"lwa"}', "lwa"),
        ({"x-amz-rid": "c", "x-amz-request-id": "b", "x-amzn-requestid": "a"}, b"", "a"),
        ({"x-amz-rid": "c", "x-amz-request-id": "b"}, b"", "b"),
        ({"x-amz-rid": "c"}, b"<html>", "c"),
        ({}, b"", ""),
        ({"x-amz-rid": "c"}, b'{"requestId":{}}', "c"),
        ({"x-amz-rid": "<script>\r\n"}, b"", "script"),
    ],
)
def test_it_finds_the_request_id(headers: dict[str, str], body: bytes, request_id: str) -> None:
    assert read_refusal(500, headers, body).request_id == request_id


def test_an_error_shows_no_token_that_amazon_echoes() -> None:
    body = b'{"code":"Atza|secret","details":"token s3cr3t Atzr|other refused","requestId":"Atza|secret"}'
    error = build_api_error(read_refusal(403, {}, body, ["s3cr3t"]), "GET /v2/profiles (NA)")
    assert "token *** *** refused" in str(error)
    assert "secret" not in str(error)
    assert "s3cr3t" not in str(error)
    assert "other" not in str(error)
