"""Amazon Ads profiles of the accounts."""

from typing import Any

from django.shortcuts import get_object_or_404
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.api import documentation, examples
from accounts.api.authentication import person
from accounts.api.documentation import describe, page_example, page_of
from accounts.api.lists import PageParameters, Word, page_response, read_parameters
from accounts.api.representation import Shown
from accounts.lists.pages import KeysetPaginator
from accounts.models import Account, Profile
from amazon_accounts.amazon_ads.hosts import Region


class ProfileListParameters(PageParameters):
    page_size = serializers.IntegerField(min_value=1, max_value=200, default=50, help_text="Rows on a page.")
    account = serializers.UUIDField(required=False, help_text="Our id of the account they belong to.")


class ProfileSerializer(Shown):
    profile_id = serializers.CharField(help_text="Amazon's id, a 64-bit number in a string.")
    account = serializers.UUIDField(source="account_id")
    amazon_account_id = serializers.CharField(source="account.amazon_account_id")
    name = serializers.CharField(allow_blank=True)
    region = Word(Region)
    country_code = serializers.CharField(allow_blank=True)
    marketplace_id = serializers.CharField(allow_blank=True)
    currency_code = serializers.CharField(allow_blank=True)
    timezone = serializers.CharField(allow_blank=True)
    type = serializers.CharField(allow_blank=True)
    subtype = serializers.CharField(allow_blank=True)
    entity_id = serializers.CharField(allow_blank=True)
    access_level = Word(Profile.AccessLevel)
    valid_payment_method = serializers.BooleanField(allow_null=True)
    daily_budget = serializers.DecimalField(max_digits=20, decimal_places=2, allow_null=True)


class ProfileList(APIView):
    @describe(
        "List Amazon Ads profiles",
        "A profile is an account in one marketplace; most of Amazon's other calls are made for one.",
        operation_id="list_profiles",
        parameters=[ProfileListParameters],
        response=page_of(ProfileSerializer),
        example=page_example(examples.PROFILE),
        errors=[404],
        behind=[documentation.LIST_PROFILES, documentation.LIST_ADS_ACCOUNTS],
    )
    def get(self, request: Request) -> Response:
        given = read_parameters(request, ProfileListParameters)
        profiles = Profile.objects.visible_to(person(request)).select_related("account")
        if "account" in given:
            account = get_object_or_404(
                Account.objects.visible_to(person(request)).only("pk"), pk=given["account"]
            )
            profiles = profiles.filter(account=account)
        columns = [field.attname for field in Profile._meta.concrete_fields]
        profiles = profiles.only(*columns, "account__amazon_account_id")
        paginator = KeysetPaginator(profiles, "account_id", given["page_size"])
        return page_response(request, paginator, represented, given.get("cursor"))


def represented(profiles: list[Profile]) -> Any:
    return ProfileSerializer(profiles, many=True).data
