"""What happened in the last 30 days, in the order in which it became known."""

from typing import Any

from django.core.exceptions import ValidationError
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.api import examples
from accounts.api.authentication import get_person
from accounts.api.documentation import build_page_example, describe, describe_page
from accounts.api.lists import PageParameters, Word, check_team, read_parameters, respond_with_rows
from accounts.api.representation import ReadOnlySerializer
from amazon_accounts.web.problems import NOT_FOUND
from tokens.models import Event, EventQuerySet


class EventListParameters(PageParameters):
    type = Word(Event.Type, required=False)
    team = serializers.UUIDField(required=False, help_text="The id of the team.")
    after = serializers.UUIDField(
        required=False, help_text="The id of an event: the list begins with the event after it."
    )


class EventSerializer(ReadOnlySerializer):
    id = serializers.UUIDField(help_text="Webhooks send it as `webhook-id`.")
    type = Word(Event.Type)
    timestamp = serializers.DateTimeField(source="created_at")
    data_ = serializers.DictField(
        help_text="What applies of `team`, `connection`, `account`, `sync`, `batch`, `consent_ends_at` and `changes`, "
        "which has the old and the new value of each field."
    )


class EventList(APIView):
    @describe(
        "List events",
        "What happened to connections, accounts, syncs and batches in the last 30 days, oldest first. An event is in the "
        "list a few seconds after it happened, and never before an event that is in the list already. A program that asks with "
        "`after` for the events after the last event that it knows misses none. A webhook sends the same events.",
        operation_id="list_events",
        parameters=[EventListParameters],
        response=describe_page(EventSerializer),
        example=build_page_example(examples.EVENT),
        errors=[NOT_FOUND],
    )
    def get(self, request: Request) -> Response:
        given: dict[str, Any] = read_parameters(request, EventListParameters)
        events = Event.objects.visible_to(get_person(request)).placed()
        if "after" in given:
            events = _select_after(events, given)
        if "team" in given:
            events = events.filter(team=check_team(request, given["team"], "tokens.view_event"))
        if "type" in given:
            events = events.filter(type=given["type"])
        return respond_with_rows(request, events, "number", EventSerializer, given, unique=True)


def _select_after(events: EventQuerySet, given: dict[str, Any]) -> EventQuerySet:
    number = events.filter(pk=given["after"]).values_list("number", flat=True).first()
    if number is None:
        raise ValidationError(
            {"after": "You see no event of the last 30 days with this id. Begin with the first page."}
        )
    return events.filter(number__gt=number)
