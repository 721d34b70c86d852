"""The health of tokens, accounts, syncs and pacing."""

from typing import Any

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.api import examples
from accounts.api.authentication import get_person
from accounts.api.documentation import describe
from accounts.api.lists import Word, read_parameters
from accounts.health import check_health
from amazon_accounts.amazon_ads.hosts import Region
from amazon_accounts.amazon_ads.models import Family


class ReasonSerializer(serializers.Serializer[Any]):
    state = Word(["degraded", "error"])
    text = serializers.CharField()


class TokensSerializer(serializers.Serializer[Any]):
    valid = serializers.IntegerField()
    expiring = serializers.IntegerField(help_text="Valid, but due for a refresh.")
    expired = serializers.IntegerField()
    broken = serializers.IntegerField(help_text="Logins that Amazon refuses. They must be reconnected.")
    next_expiry = serializers.DateTimeField(allow_null=True)
    success_rate_24h = serializers.FloatField(
        allow_null=True,
        help_text="The share of the last day's refreshes that left a valid token. Refreshes of revoked grants and those that"
        " Amazon refused because of the application are not counted.",
    )


class StatusCounts(serializers.Serializer[Any]):
    active = serializers.IntegerField()
    suspended = serializers.IntegerField()
    pending = serializers.IntegerField()
    inactive = serializers.IntegerField()
    unknown = serializers.IntegerField(help_text="Amazon uses a word that this version does not know.")


class SyncsSerializer(serializers.Serializer[Any]):
    last_synced_at = serializers.DateTimeField(
        allow_null=True, help_text="When a login was last synced without failure."
    )
    oldest_synced_at = serializers.DateTimeField(
        allow_null=True,
        help_text="The last good sync of the login that waits longest, also of one that Amazon refuses.",
    )
    failing = serializers.IntegerField(help_text="Logins that Amazon accepts and whose last sync failed.")
    late = serializers.IntegerField(help_text="Logins that were not synced for two intervals.")
    next_sync_at = serializers.DateTimeField(allow_null=True)


class PaceSerializer(serializers.Serializer[Any]):
    region = Word(Region, allow_null=True, help_text="null: Login with Amazon, which has no region.")
    family = Word(Family)
    requests_per_second = serializers.FloatField()
    throttled_last_hour = serializers.IntegerField(help_text="How many calls Amazon answered with 429.")
    blocked_until = serializers.DateTimeField(allow_null=True)
    circuit_open_until = serializers.DateTimeField(allow_null=True)


class HealthSerializer(serializers.Serializer[Any]):
    state = Word(["healthy", "degraded", "error"])
    reasons = ReasonSerializer(many=True, help_text="Worst first.")
    tokens = TokensSerializer()
    accounts = StatusCounts()
    syncs = SyncsSerializer()
    pacing = PaceSerializer(many=True)


class Health(APIView):
    @describe(
        "Show the health",
        "Tokens, accounts and syncs that you may see, and the pace that Amazon allows.",
        operation_id="get_health",
        response=HealthSerializer,
        example=examples.HEALTH,
    )
    def get(self, request: Request) -> Response:
        read_parameters(request, serializers.Serializer)
        return Response(HealthSerializer(check_health(get_person(request))).data)
