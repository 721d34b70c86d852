"""Accounts: the list, one account, and changes of what operators say about it."""

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
from accounts.api.authentication import get_person
from accounts.api.documentation import build_page_example, describe, describe_filters, describe_page
from accounts.api.lists import DEFAULT_PAGE_SIZE, PageParameters, Word, read_parameters, respond_with_page
from accounts.api.representation import ReadOnlySerializer, TeamReference
from accounts.lists.account_pages import paginate_accounts
from accounts.lists.filters import filter_accounts
from accounts.lists.parameters import (
    DEFAULT_ORDERING,
    ORDERINGS,
    PAGE_ONLY,
    PAGING,
    AccountFilterSet,
    read_account_query,
)
from accounts.models import Account, AccountAccess, AccountManager, HealthReason, Profile, Standing
from accounts.update import update_account
from amazon_accounts.amazon_ads.hosts import Region
from amazon_accounts.web.problems import NOT_FOUND, VERSION_CONFLICT

PROFILE_FIELDS = ("profile_id", "country_code", "marketplace_id", "currency_code", "timezone", "type")
EPOCH, MICROSECOND = datetime(1970, 1, 1, tzinfo=UTC), timedelta(microseconds=1)


class AccountListParameters(PageParameters):
    ordering = Word(
        ORDERINGS,
        default=DEFAULT_ORDERING,
        help_text="`-` before the name sorts in descending order. Equal values are ordered by id.",
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
    def to_representation(self, value: list[dict[str, str]]) -> list[dict[str, str]]:
        # PostgreSQL has built the list already.
        return value


class AccountSerializer(ReadOnlySerializer):
    id = serializers.UUIDField()
    team = TeamReference()
    amazon_account_id = serializers.CharField()
    name = serializers.CharField(allow_blank=True)
    status = Word(Account.Status)
    inactive_reason = Word(Account.InactiveReason, allow_null=True)
    amazon_status = serializers.CharField(allow_null=True, help_text="Amazon's own word, where it gives one.")
    standing = Word(
        Standing, help_text="Whether the account can advertise, by what Amazon says about its billing."
    )
    suspended_in = serializers.ListField(
        child=serializers.CharField(), help_text="The countries in which Amazon has stopped its campaigns."
    )
    suspension_at = serializers.DateTimeField(
        allow_null=True, help_text="The earliest suspension that Amazon announces."
    )
    account_type = Word(Account.Type)
    health = Word(Account.Health)
    health_reason = Word(
        HealthReason,
        allow_null=True,
        help_text="The worst that is wrong with the account; null when all is well.",
    )
    connection = serializers.UUIDField(
        source="connection_id", help_text="The login that the account is synced by."
    )
    connections = serializers.ListField(
        child=serializers.UUIDField(), source="connection_ids", help_text="All logins that see the account."
    )
    parent_ = serializers.UUIDField(
        source="parent_id", allow_null=True, help_text="The agency that a DSP advertiser belongs to."
    )
    managers = serializers.ListField(
        child=serializers.UUIDField(),
        source="manager_ids",
        help_text="The manager accounts that the account belongs to.",
    )
    countries = serializers.ListField(child=serializers.CharField())
    profiles = ProfilesInAccount(source="profile_list")
    errors_ = serializers.JSONField(help_text="The errors that Amazon reports, by country.")
    metadata = serializers.JSONField(help_text="What Amazon says; a sync rewrites it.")
    labels = serializers.DictField(
        child=serializers.CharField(allow_blank=True), help_text="What operators say; no sync changes it."
    )
    is_default = serializers.BooleanField()
    sync_enabled = serializers.BooleanField()
    connected_at = serializers.DateTimeField()
    last_synced_at = serializers.DateTimeField(allow_null=True)
    sync_status = Word(Account.SyncStatus)
    sync_off_reason = Word(
        Account.SyncOffReason,
        allow_null=True,
        help_text="Why `sync_status` is `off`. `region_not_read`: only `unread_regions` show the account.",
    )
    unread_regions = serializers.ListField(
        child=Word(Region),
        help_text="The regions that show the account, if its login reads none of them any more.",
    )
    sync_error = serializers.CharField(allow_blank=True)


def select_relations(accounts: QuerySet[Account]) -> QuerySet[Account]:
    profiles = Profile.objects.filter(account=OuterRef("pk")).order_by("country_code", "profile_id")
    accesses = AccountAccess.objects.filter(account=OuterRef("pk")).order_by("connection_id")
    managers = AccountManager.objects.filter(account=OuterRef("pk")).order_by("manager_id")
    return (
        accounts.select_related("connection", "team")
        .only(
            "team__name",
            *(field.attname for field in Account._meta.concrete_fields),
            "connection__state",
            "connection__sync_failures",
            "connection__sync_error",
            "connection__last_synced_at",
            "connection__paused",
        )
        .annotate(
            profile_list=ArraySubquery(
                profiles.values(json=JSONObject(**{name: name for name in PROFILE_FIELDS}))
            ),
            connection_ids=ArraySubquery(accesses.values("connection_id")),
            manager_ids=ArraySubquery(managers.values("manager_id")),
        )
    )


def _build_version_tag(account: Account) -> str:
    return f'"{(account.updated_at - EPOCH) // MICROSECOND:x}"'


def _parse_if_match(if_match: str) -> set[datetime] | None:
    """Return the versions that an If-Match header accepts, None if it accepts any."""
    # Against RFC 9110 a weak tag counts as a strong tag: a proxy that compresses answers makes our tags weak.
    tags = [tag.strip().removeprefix("W/").strip('"') for tag in if_match.split(",")]
    if "*" in tags:
        return None
    # Behind the point is the digest that ConditionalMiddleware adds.
    versions = {tag.partition(".")[0] for tag in tags}
    return {EPOCH + int(tag, 16) * MICROSECOND for tag in versions if re.fullmatch(r"[0-9a-f]{1,14}", tag)}


class AccountList(APIView):
    @describe(
        "List accounts",
        "The accounts as the last sync found them. Pages have no numbers: follow `next`. The query string of the"
        " accounts page in the dashboard is valid here, too; its `view` changes nothing.",
        operation_id="list_accounts",
        parameters=[*describe_filters(AccountFilterSet), AccountListParameters],
        response=describe_page(AccountSerializer),
        example=build_page_example(examples.ACCOUNT),
        errors=[NOT_FOUND],
        behind=documentation.SYNC,
    )
    def get(self, request: Request) -> Response:
        query = read_account_query(request.query_params, paging=PAGING, ignored=PAGE_ONLY).check()
        accounts = select_relations(filter_accounts(get_person(request), query))
        paginator = paginate_accounts(accounts, query.ordering, query.page_size or DEFAULT_PAGE_SIZE)
        return respond_with_page(request, paginator, AccountSerializer, query.cursor)


class AccountChangesRequest(serializers.Serializer[Any]):
    labels = serializers.DictField(
        child=serializers.CharField(allow_blank=True, allow_null=True, max_length=256),
        required=False,
        help_text="A string sets a label, null removes it. Other labels stay. An account has at most 64 labels.",
    )
    is_default = serializers.BooleanField(required=False)
    sync_enabled = serializers.BooleanField(required=False)


ETAG = OpenApiParameter(
    "ETag",
    location=OpenApiParameter.HEADER,
    response=[200],
    description="The version of what operators say and, in the answer to GET, of the whole account.",
)
IF_MATCH = OpenApiParameter(
    "If-Match",
    location=OpenApiParameter.HEADER,
    description="An `ETag`. The account is changed only if it still has this version.",
)


class AccountDetail(APIView):
    @describe(
        "Show an account",
        operation_id="get_account",
        response=AccountSerializer,
        example=examples.ACCOUNT,
        errors=[NOT_FOUND],
        headers=[ETAG],
        behind=documentation.SYNC,
    )
    def get(self, request: Request, account_id: UUID) -> Response:
        read_parameters(request, serializers.Serializer)
        accounts = select_relations(Account.objects.visible_to(get_person(request)))
        return _respond_with_account(get_object_or_404(accounts, pk=account_id))

    @describe(
        "Change what operators say about an account",
        "Fields that are left out stay as they are. With `If-Match` nothing is changed if somebody else has changed the account meanwhile.",
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
        errors=[NOT_FOUND, VERSION_CONFLICT],
        headers=[ETAG],
    )
    def patch(self, request: Request, account_id: UUID) -> Response:
        versions = _parse_if_match(request.headers.get("If-Match", "*"))
        try:
            update_account(get_person(request), account_id, request.data, versions=versions)
        except Account.DoesNotExist:
            raise Http404 from None
        account = select_relations(Account.objects.visible_to(get_person(request))).get(pk=account_id)
        return _respond_with_account(account)


def _respond_with_account(account: Account) -> Response:
    return Response(AccountSerializer(account).data, headers={"ETag": _build_version_tag(account)})
