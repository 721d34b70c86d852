"""The address of an admin list filters by what its filters offer, and by nothing else."""

from collections.abc import Iterator

import pytest
from django.contrib import admin
from django.contrib.auth.models import User
from django.db import models
from django.urls import reverse

from tests.dashboard.conftest import LogIn, MakeConnection
from tokens.encryption import EncryptedTextField
from tokens.models import Alert, Connection, TokenRefresh

pytestmark = pytest.mark.django_db

LOOKUPS = ["", "__startswith", "__regex", "__isnull", "__gt"]


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
            for lookup in LOOKUPS:
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
        (User, "groups__id__exact", "1"),
    ],
)
def test_what_a_filter_offers_still_filters(
    superuser: User, log_in: LogIn, model: type[models.Model], lookup: str, value: str
) -> None:
    assert log_in(superuser).get(address(model), {lookup: value}).status_code == 200
