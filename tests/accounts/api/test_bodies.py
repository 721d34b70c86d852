"""A body is read only for people who may do what they ask for, and only as far as the address needs it."""

import io
import json
import re
import time
from contextlib import suppress
from datetime import timedelta
from http import HTTPStatus
from io import RawIOBase
from types import SimpleNamespace
from typing import Any
from uuid import UUID, uuid4

import pytest
import yaml
from django.contrib.auth.models import User
from django.db.models.functions import Now
from django.test import Client

from accounts.api.exceptions import ContentTooLargeError
from accounts.api.parsing import (
    MAX_BODY_BYTES,
    MAX_BODY_BYTES_OF_MANY_IDS,
    MAX_VALUES,
    StrictJSONParser,
    refuse_too_many_values,
)
from accounts.models import BatchOperation
from tests.accounts.api.test_schema import CHECKED_IN
from tests.accounts.conftest import person
from tests.api_keys import new_key
from tokens.models import ApiKey, RequestClock
from tokens.people.request_pace import WRITES, name_clock

BATCH = "/api/v1/accounts/batch/"
MEGABYTE = 1024 * 1024


class UnreadBody(RawIOBase):
    """A body that fails the test when somebody reads it."""

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        raise AssertionError("the body was read")

    def readinto(self, _buffer: Any) -> int:
        raise AssertionError("the body was read")


def list_writes() -> list[tuple[str, str]]:
    paths = yaml.safe_load(CHECKED_IN.read_text(encoding="utf-8"))["paths"]
    return [
        (method.upper(), path)
        for path, methods in paths.items()
        for method in methods
        if method in {"post", "put", "patch"}
    ]


def send(
    method: str,
    path: str,
    length: int = 8 * MEGABYTE,
    *,
    token: str = "",
    media_type: str = "application/json",
) -> Any:
    headers = {"Authorization": f"Token {token}"} if token else {}
    address = re.sub(r"\{\w+\}", str(UUID(int=1)), path)
    body: dict[str, Any] = {
        "CONTENT_TYPE": media_type,
        "CONTENT_LENGTH": str(length),
        "wsgi.input": UnreadBody(),
    }
    return Client().generic(method, address, headers=headers, **body)


@pytest.fixture
def views_are_imported(db: None) -> None:
    # The first request of the process imports every view.
    Client().get(BATCH)


def test_there_are_operations_to_try() -> None:
    assert len(list_writes()) >= 7


@pytest.mark.parametrize(("method", "path"), list_writes())
def test_a_person_without_the_permission_is_refused_before_the_body_is_read(
    views_are_imported: None, method: str, path: str
) -> None:
    # A viewer may save views of their own.
    token = new_key(person("somebody", "" if path.startswith("/api/v1/views/") else "Viewer"))
    began = time.process_time()
    response = send(method, path, token=token)
    assert time.process_time() - began < 0.5
    assert response.status_code == HTTPStatus.FORBIDDEN
    assert response["Content-Type"] == "application/problem+json"
    assert "You may not do this. It needs" in response.json()["detail"]


def test_nobody_is_refused_before_the_body_is_read(db: None) -> None:
    for method, path in list_writes():
        assert send(method, path).status_code == HTTPStatus.UNAUTHORIZED
        assert send(method, path, token="0" * 64).status_code == HTTPStatus.UNAUTHORIZED


def test_who_asks_too_often_is_refused_before_the_body_is_read(admin: User) -> None:
    token = new_key(admin)
    clock = name_clock(f"key {ApiKey.objects.get().pk}", WRITES)
    RequestClock.objects.create(key=clock, ahead_until=Now() + timedelta(seconds=WRITES.window + 5))
    assert send("POST", BATCH, token=token).status_code == HTTPStatus.TOO_MANY_REQUESTS


def test_a_large_body_is_refused_by_its_length_alone(db: None) -> None:
    token = new_key(User.objects.create_superuser("root"))
    for method, path in list_writes():
        limit = MAX_BODY_BYTES_OF_MANY_IDS if path.endswith("/batch/") else MAX_BODY_BYTES
        response = send(method, path, limit + 1, token=token)
        # An address that finds no such object first does not read the body either.
        expected = {HTTPStatus.REQUEST_ENTITY_TOO_LARGE, HTTPStatus.NOT_FOUND}
        assert response.status_code in expected, path
        assert response["Content-Type"] == "application/problem+json"


@pytest.mark.parametrize(
    "media_type", ["multipart/form-data; boundary=x", "application/x-www-form-urlencoded"]
)
@pytest.mark.parametrize("path", [BATCH, "/admin/login/", "/operations/", "/nowhere/"])
def test_a_large_form_is_refused_by_its_length_alone(db: None, path: str, media_type: str) -> None:
    assert send("POST", path, 10**9, media_type=media_type).status_code == HTTPStatus.REQUEST_ENTITY_TOO_LARGE


def test_a_form_with_too_many_fields_is_explained(admin: User, client: Client) -> None:
    client.force_login(admin)
    response = client.post("/operations/", {f"a{number}": "1" for number in range(1_001)})
    assert response.status_code == HTTPStatus.BAD_REQUEST
    assert "could not read what the browser sent" in response.content.decode()


def post_batch(admin: User, body: bytes) -> tuple[Any, float]:
    token = new_key(admin)
    began = time.process_time()
    response = Client().post(
        BATCH, body, content_type="application/json", headers={"Authorization": f"Token {token}"}
    )
    return response, time.process_time() - began


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (
            b'{"operation": "sync", "account_ids": [' + b'{"a":0},' * 880_000 + b"0]}",
            "more than 200,000 values",
        ),
        (b"[" + b"0," * 200_001 + b"0]", "more than 200,000 values"),
        (b"[" + b'"",' * 1_000_000 + b'""]', "more than 200,000 values"),
        (b" " * (2 * MEGABYTE), "even without its strings"),
        (b"[" * 300_000, "more than 200,000 values"),
    ],
    ids=["objects", "numbers", "strings", "blanks", "arrays"],
)
def test_very_many_values_are_refused_before_they_are_read(admin: User, body: bytes, why: str) -> None:
    response, seconds = post_batch(admin, body)
    assert response.status_code == HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    assert why in response.json()["detail"]
    assert seconds < 0.5
    assert not BatchOperation.objects.exists()


def test_a_hundred_thousand_ids_are_few_enough(admin: User) -> None:
    ids = [str(uuid4()) for _ in range(100_000)]
    body = json.dumps({"operation": "sync", "account_ids": ids}).encode()
    assert len(body) > 3 * MEGABYTE
    assert post_batch(admin, body)[0].status_code == HTTPStatus.NOT_FOUND


@pytest.mark.parametrize("text", [b'\\"', b'"\\', b'"', b"\\", b'"\\"'])
def test_the_scan_takes_the_same_time_whatever_the_body_is(text: bytes) -> None:
    body = text * (MAX_BODY_BYTES_OF_MANY_IDS // len(text))
    began = time.process_time()
    with suppress(ContentTooLargeError):
        refuse_too_many_values(body)
    assert time.process_time() - began < 2


def test_commas_inside_of_strings_are_no_values() -> None:
    context = {"view": SimpleNamespace(max_body_bytes=MAX_BODY_BYTES_OF_MANY_IDS)}
    for text in ("," * (MAX_VALUES + 1), '",' * (2 * MAX_VALUES)):
        assert StrictJSONParser().parse(io.BytesIO(json.dumps([text]).encode()), None, context) == [text]
