"""The availability of a connection in one month."""

from typing import Any
from uuid import UUID

from django.shortcuts import get_object_or_404
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.api import examples
from accounts.api.authentication import get_person
from accounts.api.documentation import describe
from accounts.api.lists import read_parameters
from accounts.api.representation import ReadOnlySerializer
from accounts.availability.months import MONTH, get_availability, read_month
from amazon_accounts.web.problems import NOT_FOUND
from tokens.models import Connection


class AvailabilityParameters(serializers.Serializer[Any]):
    month = serializers.RegexField(
        MONTH,
        required=False,
        help_text="Such as `2026-11`, by UTC. The month that is not over, if it is left out.",
        error_messages={"invalid": "It must be a month such as 2026-11."},
    )


class AvailabilitySerializer(ReadOnlySerializer):
    connection = serializers.UUIDField(source="connection_id")
    month = serializers.CharField(source="month_text")
    until = serializers.DateTimeField(help_text="The minutes before this time are counted.")
    is_final = serializers.BooleanField(
        help_text="False while the month goes on and for a day after it: the figures can change."
    )
    minutes = serializers.IntegerField(
        help_text="The minutes that were counted: all of the month that are over."
    )
    token_valid = serializers.IntegerField(
        help_text="Minutes in which a token was valid from the first second to the last."
    )
    lost_to_amazon = serializers.IntegerField(
        help_text="Without a valid token, because Login with Amazon failed, asked to wait or was not reached."
    )
    lost_to_consent = serializers.IntegerField(
        help_text="Without one, because Amazon no longer accepted the login: the consent was revoked or had ended."
    )
    lost_to_us = serializers.IntegerField(
        help_text="Without one for any other reason: nobody refreshed it in time, or Amazon refused our application."
    )
    disconnected = serializers.IntegerField(
        help_text="Before the login was connected, or while disconnected."
    )
    token_unknown = serializers.IntegerField(help_text="What happened is not stored.")
    token_valid_percent = serializers.FloatField(
        allow_null=True,
        help_text="`token_valid` of `token_valid` and the three that were lost, rounded down to two places: 100 only "
        "if no minute was lost. Null if there is none of them.",
    )
    sync_fresh = serializers.IntegerField(
        help_text="Minutes in which the last good sync was never older than `late_after_seconds`."
    )
    sync_late = serializers.IntegerField(help_text="Minutes in which it was older, or there was none.")
    sync_off = serializers.IntegerField(help_text="Disconnected or paused.")
    sync_unknown = serializers.IntegerField(help_text="What happened is not stored.")
    sync_fresh_percent = serializers.FloatField(
        allow_null=True, help_text="`sync_fresh` of `sync_fresh` and `sync_late`, rounded down."
    )
    late_after_seconds = serializers.IntegerField(help_text="Two intervals between syncs.")


class ConnectionAvailability(APIView):
    @describe(
        "Show how available a connection was in a month",
        "Each minute of the month counts exactly once for the token and once for the sync, so each of the two sums is "
        "`minutes`. A minute that had several of these counts as the worst: lost to us, to Amazon, to the consent, not "
        "known, disconnected, valid; late, not known, off, fresh.",
        operation_id="get_connection_availability",
        parameters=[AvailabilityParameters],
        response=AvailabilitySerializer,
        example=examples.AVAILABILITY,
        errors=[NOT_FOUND],
    )
    def get(self, request: Request, connection_id: UUID) -> Response:
        given = read_parameters(request, AvailabilityParameters)
        month = read_month(given["month"]) if "month" in given else None
        connections = Connection.objects.visible_to(get_person(request)).only("created_at")
        connection = get_object_or_404(connections, pk=connection_id)
        return Response(AvailabilitySerializer(get_availability(connection, month)).data)
