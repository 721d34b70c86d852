"""The OpenAPI document: checked in, complete, and shown without anything from elsewhere."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
import yaml
from django.conf import settings
from django.contrib.auth.models import User
from django.core.management import call_command
from django.shortcuts import resolve_url
from django.test import Client
from django.urls import URLResolver, get_resolver
from rest_framework.test import APIClient

CHECKED_IN = Path(__file__).resolve().parents[3] / "docs" / "openapi.yaml"


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(CHECKED_IN.read_text(encoding="utf-8"))
    return found


def operations(document: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {
        f"{method.upper()} {path}": operation
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    }


def test_it_is_checked_in_as_it_is(tmp_path: Path) -> None:
    fresh = tmp_path / "openapi.yaml"
    call_command("spectacular", file=str(fresh), validate=True, fail_on_warn=True)
    assert fresh.read_text() == CHECKED_IN.read_text(), (
        "The API has changed. Run `make schema` and look at the change."
    )


def list_addresses(resolver: URLResolver, prefix: str) -> Iterator[str]:
    for pattern in resolver.url_patterns:
        address = prefix + re.sub(r"<(?:uuid|str):(\w+)>", r"{\1}", str(pattern.pattern))
        if isinstance(pattern, URLResolver):
            yield from list_addresses(pattern, address)
        elif pattern.name not in {None, "schema", "docs"}:
            yield address


def test_it_has_every_address(document: dict[str, Any]) -> None:
    assert document["openapi"] == "3.1.0"
    assert set(document["paths"]) == set(list_addresses(get_resolver("accounts.api.urls"), "/api/v1/"))


def test_each_operation_has_examples_errors_and_its_permission(document: dict[str, Any]) -> None:
    for name, operation in operations(document).items():
        assert operation["summary"], name
        responses = operation["responses"]
        assert {"400", "401", "406", "429"} <= set(responses), name
        for status, response in responses.items():
            for media_type, content in response.get("content", {}).items():
                if status >= "400":
                    assert media_type == "application/problem+json", name
                if name != "GET /api/v1/accounts/export/" or status >= "400":
                    assert content["examples"], (name, status)
        if not name.startswith("GET"):
            assert operation["x-permission"], name
            assert "403" in responses
            assert "415" in responses
        if "{" in name:
            assert "404" in responses, name
        if "requestBody" in operation:
            assert operation["requestBody"]["content"]["application/json"]["examples"], name


def test_it_tells_how_amazon_is_asked(document: dict[str, Any]) -> None:
    calls = operations(document)["GET /api/v1/accounts/"]["x-amazon-calls"]
    assert calls[0].startswith("`POST /adsAccounts/list`")
    assert "application/vnd.listaccountsresource.v1+json" in calls[0]


def test_it_is_served(client: Client, db: None) -> None:
    response = client.get("/api/v1/schema/")
    assert response.status_code == 200
    document = yaml.safe_load(response.content)
    assert document.pop("servers") == [{"url": settings.PUBLIC_URL}]
    assert document == yaml.safe_load(CHECKED_IN.read_text())


def test_in_production_document_and_page_need_a_login(
    client: Client, api: APIClient, alice: User, settings: Any
) -> None:
    settings.LOCAL_MODE = False
    assert client.get("/api/v1/schema/").status_code == 401
    page = "/api/v1/docs/?script="
    assert (
        client.get(page)["Location"]
        == f"{resolve_url(settings.LOGIN_URL)}?{urlencode({'next': page}, safe='/')}"
    )
    assert api.get("/api/v1/schema/").status_code == 200
    client.force_login(alice)
    assert client.get("/api/v1/docs/").status_code == 200
    assert client.get("/api/v1/schema/").status_code == 200


def test_its_page_needs_nothing_that_our_policy_forbids(client: Client, db: None) -> None:
    response = client.get("/api/v1/docs/")
    page = response.content.decode()
    sources = re.findall(r'(?:src|href)="([^"]+)"', page)
    assert len(sources) >= 4
    assert all(source.startswith("/") for source in sources)
    assert not re.findall(r"<script(?![^>]* src=)", page)
    script = client.get("/api/v1/docs/?script=")
    assert script["Content-Type"].startswith("application/javascript")
    assert "/api/v1/schema/" in script.content.decode().replace("\\u002D", "-")
