"""Accounts: the list, one of them, what operators say about it, and its history."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import OuterRef, QuerySet
from django.db.models.functions import JSONObject
from django.http import Http404
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import OpenApiParameter, extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.api import documentation, examples
from accounts.api.authentication import person
from accounts.api.documentation import account_filters, describe, page_example, page_of
from accounts.api.exceptions import PreconditionFailed
from accounts.api.lists import DEFAULT_PAGE_SIZE, PageParameters, Word, page_response, read_parameters
from accounts.api.representation import Shown
from accounts.lists.account_pages import paginate_accounts
from accounts.lists.filters import filter_accounts
from accounts.lists.parameters import DEFAULT_ORDERING, ORDERINGS, PAGE_ONLY, PAGING, read_account_query
from accounts.models import Account, AccountAccess, AccountManager, Profile
from accounts.update import VersionConflictError, update_account

PROFILE_FIELDS = ("profile_id", "country_code", "marketplace_id", "currency_code", "timezone", "type")


EPOCH, MICROSECOND = datetime(1970, 1, 1, tzinfo=UTC), timedelta(microseconds=1)


class AccountListParameters(PageParameters):
    ordering = Word(
        ORDERINGS, default=DEFAULT_ORDERING, help_text="`-` before it for descending; ties go by id."
    )


class ProfileInAccount(serializers.Serializer[Any]):
    profile_id = serializers.CharField(help_text="Amazon's id, a 64-bit number in a string.")
    country_code = serializers.CharField(allow_blank=True)
    marketplace_id = serializers.CharField(allow_blank=True)
    currency_code = serializers.CharField(allow_blank=True)
    timezone = serializers.CharField(allow_blank=True)
    type = serializers.CharField(allow_blank=True)


@extend_schema_field(ProfileInAccount(many=True))
class ProfilesInAccount(serializers.Field[Any, Any, Any, Any]):
    """The list as PostgreSQL made it."""

    def to_representation(self, value: list[dict[str, str]]) -> list[dict[str, str]]:
        return value


class AccountSerializer(Shown):
    id = serializers.UUIDField()
    amazon_account_id = serializers.CharField()
    name = serializers.CharField(allow_blank=True)
    status = Word(Account.Status)
    inactive_reason = Word(Account.InactiveReason, allow_null=True)
    amazon_status = serializers.CharField(allow_null=True, help_text="Amazon's own word, where it gives one.")
    account_type = Word(Account.Type)
    health = Word(Account.Health)
    connection = serializers.UUIDField(source="connection_id", help_text="The login it is synced by.")
    connections = serializers.ListField(
        child=serializers.UUIDField(), source="connection_ids", help_text="All logins that see it."
    )
    parent = serializers.UUIDField(  # type: ignore[assignment] # fields leave the class
        source="parent_id", allow_null=True, help_text="The agency that a DSP advertiser belongs to."
    )
    managers = serializers.ListField(
        child=serializers.UUIDField(), source="manager_ids", help_text="The manager accounts above it."
    )
    countries = serializers.ListField(child=serializers.CharField())
    profiles = ProfilesInAccount(source="profile_list")
    errors = serializers.JSONField(  # type: ignore[assignment] # fields leave the class
        help_text="What Amazon reports, by country."
    )
    metadata = serializers.JSONField(help_text="What Amazon says; a sync rewrites it.")
    labels = serializers.DictField(
        child=serializers.CharField(allow_blank=True), help_text="What operators say; no sync touches it."
    )
    is_default = serializers.BooleanField()
    sync_enabled = serializers.BooleanField()
    connected_at = serializers.DateTimeField()
    last_synced_at = serializers.DateTimeField(allow_null=True)
    sync_status = Word(Account.SyncStatus)
    sync_error = serializers.CharField(allow_blank=True)


def with_relations(accounts: QuerySet[Account]) -> QuerySet[Account]:
    """Select all that an account's representation needs in the one query of its page."""
    profiles = Profile.objects.filter(account=OuterRef("pk")).order_by("country_code", "profile_id")
    accesses = AccountAccess.objects.filter(account=OuterRef("pk")).order_by("connection_id")
    managers = AccountManager.objects.filter(account=OuterRef("pk")).order_by("manager_id")
    return (
        accounts.select_related("connection")
        .only(
            *(field.attname for field in Account._meta.concrete_fields),
            "connection__state",
            "connection__sync_failures",
            "connection__sync_error",
            "connection__last_synced_at",
        )
        .annotate(
            profile_list=ArraySubquery(
                profiles.values(json=JSONObject(**{name: name for name in PROFILE_FIELDS}))
            ),
            connection_ids=ArraySubquery(accesses.values("connection_id")),
            manager_ids=ArraySubquery(managers.values("manager_id")),
        )
    )


def represented(accounts: list[Account]) -> Any:
    return AccountSerializer(accounts, many=True).data


def version_tag(account: Account) -> str:
    """Name the version of what can be changed through the API."""
    return f'"{(account.updated_at - EPOCH) // MICROSECOND:x}"'


def versions_named(if_match: str) -> set[datetime] | None:
    """Return the versions that an If-Match header accepts, None for any.

    A weak tag counts as a strong one, against RFC 9110: compression on the way makes our tags weak.
    """
    tags = [tag.strip().removeprefix("W/").strip('"') for tag in if_match.split(",")]
    if "*" in tags:
        return None
    return {EPOCH + int(tag, 16) * MICROSECOND for tag in tags if re.fullmatch(r"[0-9a-f]{1,14}", tag)}


class AccountList(APIView):
    @describe(
        "List accounts",
        "Amazon's accounts as the last sync found them. A page is found by key, not by number: follow `next`."
        " The query string of the accounts page in the dashboard is a valid one here; its `view` changes nothing.",
        operation_id="list_accounts",
        parameters=[*account_filters(), AccountListParameters],
        response=page_of(AccountSerializer),
        example=page_example(examples.ACCOUNT),
        errors=[404],
        behind=documentation.SYNC,
    )
    def get(self, request: Request) -> Response:
        query = read_account_query(request.query_params, paging=PAGING, ignored=PAGE_ONLY).check()
        accounts = with_relations(filter_accounts(person(request), query))
        paginator = paginate_accounts(accounts, query.ordering, query.page_size or DEFAULT_PAGE_SIZE)
        return page_response(request, paginator, represented, query.cursor)


class AccountChangesRequest(serializers.Serializer[Any]):
    """What a PATCH may say; what it leaves out stays."""

    labels = serializers.DictField(
        child=serializers.CharField(allow_blank=True, allow_null=True, max_length=256),
        required=False,
        help_text="A string sets a label, null removes it; others stay. At most 64 labels on an account.",
    )
    is_default = serializers.BooleanField(required=False)
    sync_enabled = serializers.BooleanField(required=False)


ETAG = OpenApiParameter(
    "ETag", location=OpenApiParameter.HEADER, response=[200], description="The version of what operators say."
)
IF_MATCH = OpenApiParameter(
    "If-Match", location=OpenApiParameter.HEADER, description="An `ETag`: change this version and no other."
)


class AccountDetail(APIView):
    @describe(
        "Show an account",
        operation_id="get_account",
        response=AccountSerializer,
        example=examples.ACCOUNT,
        errors=[404],
        headers=[ETAG],
        behind=documentation.SYNC,
    )
    def get(self, request: Request, account_id: UUID) -> Response:
        read_parameters(request, serializers.Serializer)
        accounts = with_relations(Account.objects.visible_to(person(request)))
        return _account_response(get_object_or_404(accounts, pk=account_id))

    @describe(
        "Change what operators say about an account",
        "What is left out stays as it is. With `If-Match` nothing is changed if somebody else was faster.",
        operation_id="update_account",
        request=AccountChangesRequest,
        request_examples={
            "a label": {"labels": {"team": "north", "old": None}},
            "default": {"is_default": True},
        },
        parameters=[IF_MATCH],
        response=AccountSerializer,
        example=examples.ACCOUNT,
        permission="accounts.update_account",
        errors=[404, 412],
        headers=[ETAG],
    )
    def patch(self, request: Request, account_id: UUID) -> Response:
        versions = versions_named(request.headers.get("If-Match", "*"))
        try:
            update_account(person(request), account_id, request.data, versions=versions)
        except Account.DoesNotExist:
            raise Http404 from None
        except VersionConflictError:
            raise PreconditionFailed from None
        account = with_relations(Account.objects.visible_to(person(request))).get(pk=account_id)
        return _account_response(account)


def _account_response(account: Account) -> Response:
    return Response(AccountSerializer(account).data, headers={"ETag": version_tag(account)})
