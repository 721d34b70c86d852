"""The list of Amazon Ads profiles."""

from typing import Any

from django.shortcuts import get_object_or_404
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.api import documentation, examples
from accounts.api.authentication import get_person
from accounts.api.documentation import build_page_example, describe, describe_page
from accounts.api.lists import PageParameters, Word, read_parameters, respond_with_rows
from accounts.api.representation import ReadOnlySerializer
from accounts.models import Account, Profile, Standing
from amazon_accounts.amazon_ads.hosts import Region
from amazon_accounts.web.problems import NOT_FOUND


class ProfileListParameters(PageParameters):
    page_size = serializers.IntegerField(min_value=1, max_value=200, default=50, help_text="Rows on a page.")
    account = serializers.UUIDField(
        required=False, help_text="Our id of the account that the profiles belong to."
    )
    standing = Word(Standing, required=False, help_text="Whether the profile can advertise.")


class NoticeSerializer(serializers.Serializer[Any]):
    name = serializers.CharField(allow_blank=True)
    severity = serializers.CharField(allow_blank=True)
    impact = serializers.CharField(allow_blank=True)
    title = serializers.CharField(allow_blank=True)
    description = serializers.CharField(allow_blank=True)
    due_at = serializers.DateTimeField(allow_null=True)
    suspension_at = serializers.DateTimeField(allow_null=True)


class ProfileSerializer(ReadOnlySerializer):
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
    standing = Word(Standing, help_text="Whether the profile can advertise.")
    suspension_at = serializers.DateTimeField(
        allow_null=True, help_text="The earliest suspension that Amazon announces."
    )
    billing_status = serializers.CharField(allow_blank=True, help_text="Amazon's code; empty: not told yet.")
    billing_message = serializers.CharField(allow_blank=True, help_text="Amazon's words.")
    billing_asked_at = serializers.DateTimeField(allow_null=True, help_text="When Amazon told the code.")
    notices = NoticeSerializer(
        many=True, allow_null=True, help_text="What Amazon announces, in its words; null: not told yet."
    )


class ProfileList(APIView):
    @describe(
        "List Amazon Ads profiles",
        "A profile is an account in one marketplace. Most other calls of the Amazon Ads API name a profile.",
        operation_id="list_profiles",
        parameters=[ProfileListParameters],
        response=describe_page(ProfileSerializer),
        example=build_page_example(examples.PROFILE),
        errors=[NOT_FOUND],
        behind=[documentation.LIST_PROFILES, documentation.LIST_ADS_ACCOUNTS],
    )
    def get(self, request: Request) -> Response:
        given = read_parameters(request, ProfileListParameters)
        profiles = Profile.objects.visible_to(get_person(request)).select_related("account")
        if "account" in given:
            account = get_object_or_404(
                Account.objects.visible_to(get_person(request)).only("pk"), pk=given["account"]
            )
            profiles = profiles.filter(account=account)
        if "standing" in given:
            profiles = profiles.filter(standing=given["standing"])
        columns = [field.attname for field in Profile._meta.concrete_fields]
        profiles = profiles.only(*columns, "account__amazon_account_id")
        return respond_with_rows(request, profiles, "account_id", ProfileSerializer, given)
