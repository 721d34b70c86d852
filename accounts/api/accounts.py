"""Accounts: the list, one account, and changes of what operators say about it."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import OpenApiParameter
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.views import APIView

from accounts.api import documentation, examples
from accounts.api.authentication import get_person
from accounts.api.documentation import build_page_example, describe, describe_filters, describe_page
from accounts.api.lists import (
    DEFAULT_PAGE_SIZE,
    JSON,
    PageParameters,
    Word,
    read_parameters,
    respond_with_json,
)
from accounts.api.representation import ReadOnlySerializer, TeamReference
from accounts.lists.account_json import get_json, represent_accounts
from accounts.lists.account_pages import paginate_accounts, select_keys
from accounts.lists.filters import filter_accounts
from accounts.lists.parameters import (
    DEFAULT_ORDERING,
    ORDERINGS,
    PAGE_ONLY,
    PAGING,
    AccountFilterSet,
    read_account_query,
)
from accounts.models import Account, HealthReason, Standing
from accounts.update import update_account
from amazon_accounts.amazon_ads.hosts import Region
from amazon_accounts.web.problems import NOT_FOUND, VERSION_CONFLICT

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


class AccountSerializer(ReadOnlySerializer):
    # It describes what `represent_accounts` makes.
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
    connection = serializers.UUIDField(help_text="The login that the account is synced by.")
    connections = serializers.ListField(
        child=serializers.UUIDField(), help_text="All logins that see the account."
    )
    parent_ = serializers.UUIDField(allow_null=True, help_text="The agency that a DSP advertiser belongs to.")
    managers = serializers.ListField(
        child=serializers.UUIDField(),
        help_text="The manager accounts that the account belongs to.",
    )
    countries = serializers.ListField(child=serializers.CharField())
    profiles = ProfileInAccount(many=True)
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
    def get(self, request: Request) -> HttpResponse:
        query = read_account_query(request.query_params, paging=PAGING, ignored=PAGE_ONLY).check()
        accounts = represent_accounts(filter_accounts(get_person(request), query))
        rows = select_keys(accounts, query.ordering)
        paginator = paginate_accounts(rows, query.ordering, query.page_size or DEFAULT_PAGE_SIZE)
        return respond_with_json(request, paginator.page(query.cursor))


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
    def get(self, request: Request, account_id: UUID) -> HttpResponse:
        read_parameters(request, serializers.Serializer)
        return _respond_with_account(request, account_id)

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
    def patch(self, request: Request, account_id: UUID) -> HttpResponse:
        versions = _parse_if_match(request.headers.get("If-Match", "*"))
        try:
            update_account(get_person(request), account_id, request.data, versions=versions)
        except Account.DoesNotExist:
            raise Http404 from None
        return _respond_with_account(request, account_id)


def _respond_with_account(request: Request, account_id: UUID) -> HttpResponse:
    visible = represent_accounts(Account.objects.visible_to(get_person(request)))
    account = get_object_or_404(visible.only("updated_at"), pk=account_id)
    return HttpResponse(get_json(account), content_type=JSON, headers={"ETag": _build_version_tag(account)})
