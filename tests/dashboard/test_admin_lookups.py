"""The address of an admin list filters by what its filters offer, and by nothing else."""

from collections.abc import Iterator

import pytest
from django.contrib import admin
from django.contrib.auth.models import User
from django.db import models
from django.db.models.constants import LOOKUP_SEP
from django.urls import reverse

from tests.dashboard.conftest import LogIn, MakeConnection
from tokens.encryption import EncryptedTextField
from tokens.models import Alert, Connection, TokenRefresh

pytestmark = pytest.mark.django_db

LOOKUPS = ["", "__startswith", "__regex", "__isnull", "__gt"]
# Each refusal is a whole page, so paths through relations get two lookups.
LOOKUPS_OF_RELATED = ["__startswith", "__isnull"]


def address(model: type[models.Model]) -> str:
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")


def find_encrypted(model: type[models.Model], depth: int = 2) -> Iterator[str]:
    """Yield the paths to encrypted columns, through at most `depth` relations."""
    for field in model._meta.get_fields():
        if isinstance(field, EncryptedTextField):
            yield field.name
        elif depth and field.is_relation and isinstance(field.related_model, type):
            for path in find_encrypted(field.related_model, depth - 1):
                yield f"{field.name}__{path}"


def test_no_list_finds_anything_by_an_encrypted_column(
    superuser: User, log_in: LogIn, make_connection: MakeConnection
) -> None:
    make_connection(superuser)
    client = log_in(superuser)
    client.raise_request_exception = False
    tried = 0
    for model in admin.site._registry:
        for path in find_encrypted(model):
            for lookup in LOOKUPS_OF_RELATED if LOOKUP_SEP in path else LOOKUPS:
                response = client.get(address(model), {f"{path}{lookup}": "v2."})
                assert response.status_code == 400, (model, path, lookup)
                tried += 1
    assert tried > 50


def test_every_list_refuses_a_lookup_that_it_does_not_offer(superuser: User, log_in: LogIn) -> None:
    client = log_in(superuser)
    client.raise_request_exception = False
    for model in admin.site._registry:
        for lookup in ("__regex", "__iregex", "__startswith", "__year__gt"):
            field = next(field for field in model._meta.concrete_fields if not field.is_relation)
            response = client.get(address(model), {f"{field.name}{lookup}": "("})
            assert response.status_code == 400, (model, field, lookup)


@pytest.mark.parametrize(
    ("model", "lookup", "value"),
    [
        (Connection, "state__exact", "active"),
        (TokenRefresh, "started_at_from_0", "2026-11-01"),
        (Alert, "sent_at__isnull", "True"),
        (User, "is_staff__exact", "1"),
        (User, "is_active__exact", "1"),
    ],
)
def test_what_a_filter_offers_still_filters(
    superuser: User, log_in: LogIn, model: type[models.Model], lookup: str, value: str
) -> None:
    assert log_in(superuser).get(address(model), {lookup: value}).status_code == 200


@pytest.mark.parametrize("page", ["change", "delete", "history"])
def test_an_unknown_row_is_not_found(superuser: User, log_in: LogIn, page: str) -> None:
    client = log_in(superuser)
    for model in admin.site._registry:
        name = f"admin:{model._meta.app_label}_{model._meta.model_name}_{page}"
        for key in ("0", "x", "00000000-0000-0000-0000-000000000000"):
            response = client.get(reverse(name, args=[key]))
            assert response.status_code == 404 or (page == "delete" and response.status_code == 403), name


def test_a_row_of_another_person_is_not_found(
    superuser: User,
    alice: User,
    log_in: LogIn,
    make_connection: MakeConnection,
    caplog: pytest.LogCaptureFixture,
) -> None:
    connection = make_connection(superuser)
    response = log_in(alice).get(reverse("admin:tokens_connection_change", args=[connection.pk]))
    assert response.status_code == 404
    assert [record.name for record in caplog.records] == ["django.request"]
